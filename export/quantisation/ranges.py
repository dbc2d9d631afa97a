"""From which values do the quantisation ranges start, and which channels must come to life first?

TFMOT starts every range at -6 to 6 and moves it by a thousandth a step: after 150 steps outputs of
9.9 were still clipped at 5.9.  Here they start from what the float network shows on real clips: where the
least squares are lost by rounding inside and clipping outside (Nagel et al., "A white paper on neural network
quantization", 2021).  A global response norm makes few values ten times as large as all others: with ranges from
least to largest 44, with these 49 of 50 seconds of TUT scenes kept their class.
"""

import numpy as np
import tensorflow as tf
import tf_keras

from asc_tf.errors import UserError
from export.quantisation import graph_form as _form

# Below this a channel says nothing, and its scale may become 0: the converter then leaves the layer float.
DEAD = 1e-6
SMALLEST_RANGE = 1e-3
PREFIX = "quant_"
LEVELS = 255  # steps between the 256 values of 8 bits
BINS = 4096  # of the histogram of a tensor's values
SHARES = np.linspace(0.04, 1, 97)  # of the range from least to largest value, tried
HEADROOM = 1.3  # for sounds unlike those calibrated with, where it costs little: between channels of one size


def reinitialise_dead_channels(network):
    """Gives dead channels a small weight that leaves their output as it was; returns how many there were.

    network: tf_keras functional model, changed in place.  A channel is dead when its weights, its
    batch norm's gamma or their product are below 1e-6 (Adam with L2 leaves them near 1e-41).
    """
    makers = {id(layer.output): layer for layer in network.layers}
    revived = 0
    for norm in network.layers:
        if isinstance(norm, tf_keras.layers.BatchNormalization):
            convolution = makers[id(norm.input)]
            if isinstance(convolution, _form.CONVOLUTIONS):
                revived += _revive_pair(convolution, norm)
    return revived


def _revive_pair(convolution, norm):
    kernel, *bias = convolution.get_weights()
    gamma, beta, mean, variance = norm.get_weights()
    deviation = np.sqrt(variance + norm.epsilon)
    # (taps, channels) for a dense as for a depthwise kernel (height, width, channels, 1): a view, written to below.
    taps = kernel.reshape(-1, len(gamma))
    largest = np.abs(taps).max(axis=0)
    dead = (largest < DEAD) | (np.abs(gamma) < DEAD) | (largest * np.abs(gamma) / deviation < DEAD)
    beta[dead] += ((bias[0] if bias else 0.0) - mean)[dead] * (gamma / deviation)[dead]
    # One tap only: the output moves by a ten-thousandth of one input.
    taps[:, dead], taps[0, dead] = 0.0, 1e-3
    gamma[dead], mean[dead], variance[dead] = 0.1, 0.0, 1.0
    for value in bias:
        value[dead] = 0.0
    convolution.set_weights([kernel, *bias])
    norm.set_weights([gamma, beta, mean, variance])
    return int(dead.sum())


def equalise_channels(network, batches):
    """Makes the channels before every ChannelSizes equally large, -1 to 1 over the batches, and sets its factors.

    network: tf_keras functional model in its quantisable form, changed in place; its outputs stay as they were.
    """
    pairs = [(layer, _maker(network, layer)) for layer in network.layers if isinstance(layer, _form.ChannelSizes)]
    if not pairs:
        return
    part = tf_keras.Model(network.inputs, [norm.output for _, norm in pairs])

    @tf.function(reduce_retracing=True)
    def largest(x):
        return [tf.reduce_max(tf.abs(y), (0, 1, 2)) for y in tf.nest.flatten(part(x, training=False))]

    seen = [largest(tf.convert_to_tensor(x, tf.float32)) for x in batches]
    for (sizes, norm), of_layer in zip(pairs, zip(*seen, strict=True), strict=True):
        factors = np.maximum(np.max(of_layer, axis=0), SMALLEST_RANGE)
        gamma, beta, *statistics = norm.get_weights()
        norm.set_weights([gamma / factors, beta / factors, *statistics])
        sizes.set_weights([factors])


def _maker(network, layer):
    (maker,) = [other for other in network.layers if other.output is layer.input]
    return maker


def set_weight_ranges(quantised):
    """Sets every weight range to plus and minus the largest magnitude, a channel where there is one a channel."""
    for _, kernel, low, high in quantised_kernels(quantised):
        largest = np.abs(kernel.numpy().reshape(-1, low.shape.num_elements())).max(axis=0)
        largest = np.maximum(largest.reshape(low.shape), DEAD)
        low.assign(-largest)
        high.assign(largest)


def quantised_kernels(quantised):
    """[(layer, its kernel, min variable, max variable), ...] of the layers with quantised weights."""
    found = []
    for layer, _, low, high in filter(_is_weight, _ranges(quantised)):
        (kernel,) = [weight for weight in layer.weights if _last(weight).endswith("kernel")]
        found.append((layer, kernel, low, high))
    return found


def set_activation_ranges(quantised, network, batches):
    """Sets every activation range, and the input's, from what the float network shows over the batches.

    quantised: of `network` by the scheme.  batches: list of (clips, bands, frames, channels).
    The network's outputs are not clipped: their largest are what probabilities are made of.
    Raises UserError when a value is not finite.
    """
    levelled = {id(layer.input) for layer in network.layers if isinstance(layer, _form.ChannelSizes)}
    ranges = [entry for entry in _ranges(quantised) if not _is_weight(entry)]
    points = [_point(network, *entry[:2]) for entry in ranges]
    measured = tf_keras.Model(network.inputs, points)
    limits = _extremes(measured, batches)
    for point, (_, _, low, high), counts, (least, most) in zip(
        points, ranges, _histograms(measured, batches, limits), limits, strict=True
    ):
        if id(point) in levelled:
            least, most = HEADROOM * least, HEADROOM * most
        elif point is not network.output:
            least, most = _least_loss(counts, least, most)
        low.assign(least)
        high.assign(max(most, least + SMALLEST_RANGE))


def _ranges(quantised):
    """[(layer, what is quantised there, min variable, max variable), ...] of the whole network."""
    found = []
    for layer in quantised.layers:
        named = {_last(weight): weight for weight in layer.weights}
        for name in named:
            if name.endswith("_min"):
                what = name.removesuffix("_min")
                found.append((layer, what, named[name], named[f"{what}_max"]))
    return found


def _is_weight(entry):
    return entry[1].endswith("kernel")


def _point(network, layer, what):
    """The float network's tensor that a layer of the quantised one quantises."""
    if not layer.name.startswith(PREFIX):
        return network.input  # TFMOT's QuantizeLayer, behind the input
    original = network.get_layer(layer.name.removeprefix(PREFIX))
    return original.input if what.startswith("pre_") else original.output


def _last(weight):
    """The last part of a weight's name: `kernel` of `stem/kernel:0`."""
    return weight.name.split("/")[-1].split(":")[0]


def _extremes(network, batches):
    """(tensors, 2) the least value, at most 0, and the largest, at least 0, of every output over the batches."""

    @tf.function(reduce_retracing=True)
    def extremes(x):
        return tf.stack([[tf.reduce_min(y), tf.reduce_max(y)] for y in network(x, training=False)])

    seen = np.array([extremes(tf.convert_to_tensor(x, tf.float32)) for x in batches])
    if not np.isfinite(seen).all():
        raise UserError("quantise: the network's outputs on the calibration clips are not finite numbers.")
    return np.stack([seen[..., 0].min(axis=0).clip(max=0), seen[..., 1].max(axis=0).clip(min=0)], axis=1)


def _histograms(network, batches, limits):
    """(tensors, BINS) counts of the values of every output over the batches, between its limits."""
    wide = np.maximum(limits, [[0.0, SMALLEST_RANGE]]).astype(np.float32)

    @tf.function(reduce_retracing=True)
    def histograms(x):
        pairs = zip(network(x, training=False), wide, strict=True)
        return tf.stack([tf.histogram_fixed_width(y, ends, BINS) for y, ends in pairs])

    return sum(histograms(tf.convert_to_tensor(x, tf.float32)).numpy().astype(np.int64) for x in batches)


def _least_loss(counts, least, most):
    """The share of a range, both ends shortened alike, that loses the least squares in 8 bits."""
    values = least + (np.arange(BINS) + 0.5) * (most - least) / BINS
    losses = [np.sum(counts * (_rounded(values, share * least, share * most) - values) ** 2) for share in SHARES]
    share = SHARES[np.argmin(losses)]
    return share * least, share * most


def _rounded(values, least, most):
    step = max(most - least, SMALLEST_RANGE) / LEVELS
    return np.round((values - least) / step).clip(0, LEVELS) * step + least
