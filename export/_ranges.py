"""From which values do the quantisation ranges start, and which channels must come to life first?

TFMOT starts every range at -6 to 6 and moves it by a thousandth a step: after 150 steps outputs of
9.9 were still clipped at 5.9.  Here they start at what the float network shows on real clips.
"""

import numpy as np
import tensorflow as tf
import tf_keras

from asc_tf.errors import UserError

# Below this a channel says nothing, and its scale may become 0: the converter then leaves the layer float.
DEAD = 1e-6
SMALLEST_RANGE = 1e-3
PREFIX = "quant_"
CONVOLUTIONS = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D, tf_keras.layers.Dense)


def revive(network):
    """Gives dead channels a small weight that leaves their output as it was; returns how many there were.

    network: tf_keras functional model, changed in place.  A channel is dead when its weights, its
    batch norm's gamma or their product are below 1e-6 (Adam with L2 leaves them near 1e-41).
    """
    makers = {id(layer.output): layer for layer in network.layers}
    revived = 0
    for norm in network.layers:
        if isinstance(norm, tf_keras.layers.BatchNormalization):
            convolution = makers[id(norm.input)]
            if isinstance(convolution, CONVOLUTIONS):
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


def from_weights(quantised):
    """Sets every weight range to plus and minus the largest magnitude, a channel where there is one a channel."""
    for layer, _, low, high in filter(_is_weight, _ranges(quantised)):
        (kernel,) = [weight for weight in layer.weights if _last(weight).endswith("kernel")]
        largest = np.abs(kernel.numpy().reshape(-1, low.shape.num_elements())).max(axis=0)
        largest = np.maximum(largest.reshape(low.shape), DEAD)
        low.assign(-largest)
        high.assign(largest)


def from_data(quantised, network, batches):
    """Sets every activation range, and the input's, to what the float network shows over the batches.

    quantised: of `network` by the scheme.  batches: iterable of (clips, bands, frames, channels).
    Raises UserError when there are no clips or a value is not finite.
    """
    ranges = [entry for entry in _ranges(quantised) if not _is_weight(entry)]
    points = [_point(network, layer) for layer, *_ in ranges]
    extremes = _extremes(tf_keras.Model(network.inputs, points), batches)
    for (_, _, low, high), least, most in zip(ranges, *extremes, strict=True):
        least, most = min(least, 0.0), max(most, 0.0)
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


def _point(network, layer):
    """The float network's tensor that a layer of the quantised one quantises."""
    if layer.name.startswith(PREFIX):
        return network.get_layer(layer.name.removeprefix(PREFIX)).output
    return network.input  # TFMOT's QuantizeLayer, behind the input


def _last(weight):
    """The last part of a weight's name: `kernel` of `stem/kernel:0`."""
    return weight.name.split("/")[-1].split(":")[0]


def _extremes(network, batches):
    @tf.function(reduce_retracing=True)
    def extremes(x):
        outputs = network(x, training=False)
        return tf.stack([tf.reduce_min(y) for y in outputs]), tf.stack([tf.reduce_max(y) for y in outputs])

    seen = [[value.numpy() for value in extremes(tf.convert_to_tensor(x, tf.float32))] for x in batches]
    if not seen:
        raise UserError("quantise: there are no clips to calibrate the ranges with.")
    lows, highs = np.min([low for low, _ in seen], axis=0), np.max([high for _, high in seen], axis=0)
    if not (np.isfinite(lows).all() and np.isfinite(highs).all()):
        raise UserError("quantise: the network's outputs on the calibration clips are not finite numbers.")
    return lows, highs
