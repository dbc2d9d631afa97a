"""Start values of the quantisation ranges, and the changes that a float network needs before they are measured.

TFMOT starts every range at -6 to 6 and moves it by a thousandth a step: after 150 steps outputs of
9.9 were still clipped at 5.9.  Here they start from the values of the float network on real clips: where the
least squares are lost by rounding inside and clipping outside (Nagel et al., "A white paper on neural network
quantization", 2021).  A global response norm makes few values ten times as large as all others: with ranges from
least to largest 44, with these 49 of 50 seconds of TUT scenes kept their class.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from asc_tf.errors import UserError
from asc_tf.export.quantisation import _compat
from asc_tf.export.quantisation import graph_form as _form

# Below this a channel has no effect, and its scale may become 0: the converter then leaves the layer float.
DEAD = 1e-6
SMALLEST_RANGE = 1e-3
LEVELS = 255  # steps between the 256 values of 8 bits
BINS = 4096  # of the histogram of a tensor's values
SHARES = np.linspace(0.04, 1, 97)  # of the range from least to largest value, tried
HEADROOM = 1.3  # for sounds unlike those calibrated with, where it costs little: between channels of one size


def reinitialise_dead_channels(network: tf_keras.Model) -> int:
    """Gives dead channels a small weight that leaves their output as it was.

    A channel is dead when its weights, its batch norm's gamma or their product are below 1e-6 (Adam with L2 leaves
    them near 1e-41).

    Args:
        network: Float network, functional; changed in place.

    Returns:
        The number of dead channels.
    """
    producers = {id(layer.output): layer for layer in network.layers}
    count = 0
    for norm in network.layers:
        if isinstance(norm, tf_keras.layers.BatchNormalization):
            convolution = producers[id(norm.input)]
            if isinstance(convolution, _form.CONVOLUTIONS):
                count += _reinitialise_pair(convolution, norm)
    return count


def _reinitialise_pair(convolution, norm):
    """The same for a convolution and its batch norm."""
    kernel, *bias = convolution.get_weights()
    gamma, beta, mean, variance = norm.get_weights()
    std = np.sqrt(variance + norm.epsilon)
    # (taps, channels) for a dense as for a depthwise kernel (height, width, channels, 1): a view, written to below.
    taps = kernel.reshape(-1, len(gamma))
    largest = np.abs(taps).max(axis=0)
    dead = (largest < DEAD) | (np.abs(gamma) < DEAD) | (largest * np.abs(gamma) / std < DEAD)
    beta[dead] += ((bias[0] if bias else 0.0) - mean)[dead] * (gamma / std)[dead]
    # One tap only: the output moves by a ten-thousandth of one input.
    taps[:, dead], taps[0, dead] = 0.0, 1e-3
    gamma[dead], mean[dead], variance[dead] = 0.1, 0.0, 1.0
    for value in bias:
        value[dead] = 0.0
    convolution.set_weights([kernel, *bias])
    norm.set_weights([gamma, beta, mean, variance])
    return int(dead.sum())


def equalise_channels(network: tf_keras.Model, batches: Sequence[np.ndarray | tf.Tensor]) -> None:
    """Makes the channels before every ChannelSizes layer equally large, and sets its factors to undo that.

    The batch norm before the layer is divided by each channel's largest magnitude over the batches, so that its
    outputs lie between -1 and 1 there. The network's outputs stay as they were.

    Args:
        network: Float network in its quantisable form, functional; changed in place.
        batches: Spectrograms, each (clips, bands, frames, channels) float32.
    """
    pairs = [(layer, _producer(network, layer)) for layer in network.layers if isinstance(layer, _form.ChannelSizes)]
    if not pairs:
        return
    part = tf_keras.Model(network.inputs, [norm.output for _, norm in pairs])

    @tf.function(reduce_retracing=True)
    def largest(x):
        return [tf.reduce_max(tf.abs(y), (0, 1, 2)) for y in tf.nest.flatten(part(x, training=False))]

    of_batches = [largest(tf.convert_to_tensor(x, tf.float32)) for x in batches]
    for (sizes, norm), of_layer in zip(pairs, zip(*of_batches, strict=True), strict=True):
        factors = np.maximum(np.max(of_layer, axis=0), SMALLEST_RANGE)  # (channels,)
        gamma, beta, *statistics = norm.get_weights()
        norm.set_weights([gamma / factors, beta / factors, *statistics])
        sizes.set_weights([factors])


def _producer(network, layer):
    (producer,) = [other for other in network.layers if other.output is layer.input]
    return producer


def set_weight_ranges(quantised: tf_keras.Model) -> None:
    """Sets every weight range to plus and minus the largest magnitude, by channel where the range has channels.

    Args:
        quantised: Network with fake quantisation; changed in place.
    """
    for entry in kernel_ranges(quantised):
        kernel = _compat.kernel(entry.layer).numpy()
        largest = np.abs(kernel.reshape(-1, entry.low.shape.num_elements())).max(axis=0)
        largest = np.maximum(largest.reshape(entry.low.shape), DEAD)
        entry.low.assign(-largest)
        entry.high.assign(largest)


def kernel_ranges(quantised: tf_keras.Model) -> list[_compat.Range]:
    """Ranges of all quantised weights, one a layer.

    Args:
        quantised: Network with fake quantisation.
    """
    return [entry for entry in _compat.ranges(quantised) if entry.is_of_kernel]


def set_activation_ranges(
    quantised: tf_keras.Model, network: tf_keras.Model, batches: Sequence[np.ndarray | tf.Tensor]
) -> None:
    """Sets every activation range, and the input's, from the values of the float network over the batches.

    The network's outputs are not clipped: the largest of them decide the probabilities.

    Args:
        quantised: Network with fake quantisation, scheme.apply of `network`; changed in place.
        network: Float network in its quantisable form.
        batches: Spectrograms, each (clips, bands, frames, channels) float32.

    Raises:
        UserError: A value is not finite.
    """
    equalised = {id(layer.input) for layer in network.layers if isinstance(layer, _form.ChannelSizes)}
    entries = [entry for entry in _compat.ranges(quantised) if not entry.is_of_kernel]
    tensors = [_compat.float_tensor(network, entry) for entry in entries]
    measured = tf_keras.Model(network.inputs, tensors)
    limits = _extremes(measured, batches)
    for tensor, entry, counts, (least, most) in zip(
        tensors, entries, _histograms(measured, batches, limits), limits, strict=True
    ):
        if id(tensor) in equalised:
            least, most = HEADROOM * least, HEADROOM * most
        elif tensor is not network.output:
            least, most = _least_squares_range(counts, least, most)
        entry.low.assign(least)
        entry.high.assign(max(most, least + SMALLEST_RANGE))


def _extremes(network, batches):
    """(tensors, 2) the least value, at most 0, and the largest, at least 0, of every output over the batches."""

    @tf.function(reduce_retracing=True)
    def extremes(x):
        return tf.stack([[tf.reduce_min(y), tf.reduce_max(y)] for y in network(x, training=False)])

    values = np.array([extremes(tf.convert_to_tensor(x, tf.float32)) for x in batches])  # (batches, tensors, 2)
    if not np.isfinite(values).all():
        raise UserError("quantise: the network's outputs on the calibration clips are not finite numbers.")
    return np.stack([values[..., 0].min(axis=0).clip(max=0), values[..., 1].max(axis=0).clip(min=0)], axis=1)


def _histograms(network, batches, limits):
    """(tensors, BINS) counts of the values of every output over the batches, between its limits."""
    wide = np.maximum(limits, [[0.0, SMALLEST_RANGE]]).astype(np.float32)

    @tf.function(reduce_retracing=True)
    def histograms(x):
        pairs = zip(network(x, training=False), wide, strict=True)
        return tf.stack([tf.histogram_fixed_width(y, ends, BINS) for y, ends in pairs])

    return sum(histograms(tf.convert_to_tensor(x, tf.float32)).numpy().astype(np.int64) for x in batches)


def _least_squares_range(counts, least, most):
    """The range, both ends shortened by the same share, whose 8-bit values lose the least squares."""
    values = least + (np.arange(BINS) + 0.5) * (most - least) / BINS
    losses = [np.sum(counts * (_rounded(values, share * least, share * most) - values) ** 2) for share in SHARES]
    share = SHARES[np.argmin(losses)]
    return share * least, share * most


def _rounded(values, least, most):
    """Values as 8 bits of this range represent them."""
    step = max(most - least, SMALLEST_RANGE) / LEVELS
    return np.round((values - least) / step).clip(0, LEVELS) * step + least
