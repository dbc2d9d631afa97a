"""In which form can a network be quantised, and which of its layers stay in float?

TFLite rounds behind convolutions that have swallowed their batch norm.  A batch norm with no convolution right
before it is moved past averages and dropout, joined with the next one, folded into a dense layer, or else becomes
a 1x1 depthwise convolution.  Folding it into a following convolution would not be exact where that pads with
zeros.  Its statistics are thereby frozen; scale and shift go on learning.

What a convolution hands to float layers alone is rounded with one scale for all its channels, for want of more in
TFLite, but its channels can be made equally large before and be given their size back in float: `ChannelSizes`.
"""

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from asc_tf.errors import UserError, nearest

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
# What (scale * x + shift) may pass: the mean of the values seen is the same before and after.
PASSED = (layers.AveragePooling2D, layers.GlobalAveragePooling2D, layers.Dropout)
# Squares, a root and a quotient: 8 bits lose the small channels (98 instead of 103 of 110 real seconds agreed).
NEEDS_FLOAT = ("GlobalResponseNorm",)
SIZES = "_sizes"  # ends the name of a layer that gives the channels of the one before their sizes back
SMALLEST_SCALE = 1e-4  # of a channel: below, its bias in units of input scale x weight scale passes 32 bits


@tf_keras.utils.register_keras_serializable("asc_tf")
class ChannelSizes(layers.Layer):
    """(batch, bands, frames, channels) times a factor for each channel, 1 until it is set, never trained."""

    def build(self, input_shape):
        self.factors = self.add_weight("factors", shape=input_shape[-1:], initializer="ones", trainable=False)

    def call(self, x):
        return x * self.factors


def resolve_float_layers(network, named=()):
    """Names of the layers that stay in float, in order: the named ones and those of the kinds in NEEDS_FLOAT.

    network: tf_keras.  Raises UserError for a name that does not exist, is the last layer's or a convolution's.
    """
    known = {layer.name: layer for layer in network.layers}
    makers = _makers(network)
    for name in named:
        where = f"quantise: float_layers: '{name}'"
        if name not in known:
            raise UserError(f"quantise: float_layers: there is no layer '{name}'. {nearest(name, known)}")
        if name in network.output_names:
            raise UserError(f"{where} makes the int8 output; leave it out.")
        if isinstance(known[name], CONVOLUTIONS) or _folds(known[name], makers):
            raise UserError(
                f"{where}: TFLite's converter makes int8 of a convolution with its batch norm; leave it out."
            )
    return [name for name, layer in known.items() if name in named or type(layer).__name__ in NEEDS_FLOAT]


def quantisable(network, kept=()):
    """The tf_keras network in a form that quantises: outputs equal to rounding, the names of what is left kept.

    kept: names of the layers in float, as resolve_float_layers finds them; a rounding layer follows each that needs one, and
    ChannelSizes each batch norm, folded into its convolution, that they alone read.
    """
    made, waiting, makers = {}, {}, _makers(network)
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer):
            made[id(layer.output)] = tf_keras.Input(layer.output.shape[1:], name=layer.name)
            continue
        source, result = id(layer.input) if not isinstance(layer.input, list) else None, id(layer.output)
        if isinstance(layer, layers.BatchNormalization) and layer.name not in kept and not _folds(layer, makers):
            made[result], waiting[result] = made[source], _joined(waiting.get(source), layer)
        elif source in waiting and isinstance(layer, PASSED):
            made[result], waiting[result] = _copy(layer, made[source]), waiting[source]
        elif source in waiting and isinstance(layer, layers.Dense) and layer.use_bias and layer.name not in kept:
            made[result] = _copy(layer, made[source], _behind(waiting[source], layer))
        else:
            inputs = tf.nest.map_structure(lambda x: _settled(made, waiting, x), layer.input)
            made[result] = _bordered(layer, _copy(layer, inputs), kept, network, makers)
    return tf_keras.Model(made[id(network.input)], _settled(made, waiting, network.output), name=network.name)


def readers(network, layer):
    """The layers that take what a layer of the network makes."""
    return [other for other in network.layers if id(layer.output) in map(id, tf.nest.flatten(other.input))]


def _makers(network):
    return {id(layer.output): layer for layer in network.layers}


def _folds(norm, makers):
    """Whether a layer is a batch norm that folds into the convolution before it."""
    return isinstance(norm, layers.BatchNormalization) and isinstance(makers[id(norm.input)], CONVOLUTIONS)


def _joined(before, norm):
    """(name, scale, shift) of a batch norm, after those that wait before it."""
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    _, inner_scale, inner_shift = before or ("", 1.0, 0.0)
    return norm.name, inner_scale * scale, (inner_shift - mean) * scale + beta


def _behind(affine, dense):
    _, scale, shift = affine
    kernel, *bias = dense.get_weights()
    return [scale[:, np.newaxis] * kernel, *(value + shift @ kernel for value in bias)]


def _settled(made, waiting, tensor):
    """The new tensor of an old one, what waits on it applied."""
    if id(tensor) in waiting:
        name, scale, shift = waiting.pop(id(tensor))
        if len(tensor.shape) != 4:
            raise UserError(f"quantise: batch norm '{name}' has nothing to fold into; add it to quantise.float_layers.")
        scale = np.where(np.abs(scale) < SMALLEST_SCALE, SMALLEST_SCALE, scale)
        convolution = layers.DepthwiseConv2D(1, name=name)
        made[id(tensor)] = convolution(made[id(tensor)])
        convolution.set_weights([scale.reshape(1, 1, -1, 1), shift])
    return made[id(tensor)]


def _bordered(layer, output, kept, network, makers):
    """A layer's output as it passes from 8 bits to float or back: with its channels' sizes, or rounded."""
    following = readers(network, layer)
    if layer.name not in kept:
        leaves = _folds(layer, makers) and following and all(_in_float(other, kept, network) for other in following)
        return ChannelSizes(name=layer.name + SIZES)(output) if leaves else output
    if all(other.name in kept or isinstance(other, layers.ReLU) for other in following):
        return output
    return layers.Activation("linear", name=f"{layer.name}_rounded")(output)


def _in_float(layer, kept, network):
    """Whether a layer is kept and is no sum that a ReLU follows, of which TFMOT and the converter make int8."""
    relu = any(isinstance(other, layers.ReLU) for other in readers(network, layer))
    return layer.name in kept and not (relu and isinstance(layer, layers.Add))


def _copy(layer, inputs, weights=None):
    copy = type(layer).from_config(layer.get_config())
    output = copy(inputs)
    copy.set_weights(layer.get_weights() if weights is None else weights)
    return output
