"""Rewriting of a network to the form that quantises, and the choice of its layers that stay in float.

TFLite rounds after a convolution with which its batch norm was merged.  A batch norm with no convolution right
before it is moved past averages and dropout, merged with the next one, folded into a dense layer, or else becomes
a 1x1 depthwise convolution.  Folding it into a following convolution would not be exact where that pads with
zeros.  Its statistics are thereby frozen; scale and shift are still trained.

Activations are rounded with one scale for all channels of a tensor, for want of more in TFLite, so small channels
lose most.  Where only float layers read a convolution's batch norm this can be avoided: the batch norm is divided by
the size (the largest magnitude) of each channel, so that all are rounded alike, and a layer in float, `ChannelSizes`,
multiplies each by its size again.
"""

from collections.abc import Collection, Sequence

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from asc_tf.errors import UserError, nearest

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
# Layers that (scale * x + shift) may pass: the mean of the values is the same before and after.
PASSED = (layers.AveragePooling2D, layers.GlobalAveragePooling2D, layers.Dropout)
# Squares, a root and a quotient: 8 bits lose the small channels (98 instead of 103 of 110 real seconds agreed), or the
# quiet rows. A scan adds up its errors over the tokens. TFLite has no GRU: its state would be rounded in every step.
# Weighted sums are of little cost.
NEEDS_FLOAT = (
    "GlobalResponseNorm", "GroupNormalization", "MambaNorm", "MambaSkipNorm", "MambaScan",
    "ResNorm", "AdaResNorm", "GRU", "PoolsMixing", "MeansMixing",
)  # fmt: skip
SIZES = "_sizes"  # suffix of a ChannelSizes layer's name, after the name of the batch norm before it
SMALLEST_SCALE = 1e-4  # of a channel: below, its bias in units of input scale x weight scale passes 32 bits


@tf_keras.utils.register_keras_serializable("asc_tf")
class ChannelSizes(layers.Layer):
    """Multiplication of every channel by its size, a constant that is set once and not trained.

    Input and output: (batch, bands, frames, channels). Its one weight `factors`, (channels,), is 1 until
    ranges.equalise_channels measures the sizes and divides the batch norm before this layer by them. It stays in
    float in the TFLite file; the tensor before it is int8, all of its channels between -1 and 1 on the clips measured.
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        """Creates the factors.

        Args:
            input_shape: (batch, bands, frames, channels).
        """
        self.factors = self.add_weight("factors", shape=input_shape[-1:], initializer="ones", trainable=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Multiplies every channel by its factor.

        Args:
            x: (batch, bands, frames, channels).
        """
        return x * self.factors


def resolve_float_layers(network: tf_keras.Model, named: Collection[str] = ()) -> list[str]:
    """Names of the layers that stay in float, in order: the named ones, the kinds in NEEDS_FLOAT, dropout after them.

    Args:
        network: Float network.
        named: Names of layers, of the recipe's quantise.float_layers.

    Raises:
        UserError: A name does not exist, or is that of the last layer, a convolution or a batch norm that folds.
    """
    known = {layer.name: layer for layer in network.layers}
    producers = _producers(network)
    for name in named:
        where = f"quantise: float_layers: '{name}'"
        if name not in known:
            raise UserError(f"quantise: float_layers: there is no layer '{name}'. {nearest(name, known)}")
        if name in network.output_names:
            raise UserError(f"{where} computes the int8 output; leave it out.")
        if isinstance(known[name], CONVOLUTIONS) or _folds(known[name], producers):
            raise UserError(
                f"{where}: TFLite's converter makes int8 of a convolution with its batch norm; leave it out."
            )
    floats = []
    for name, layer in known.items():
        follows = isinstance(layer, layers.Dropout) and producers[id(layer.input)].name in floats
        if name in named or type(layer).__name__ in NEEDS_FLOAT or follows:
            floats.append(name)
    return floats


def quantisable(network: tf_keras.Model, float_layers: Sequence[str] = ()) -> tf_keras.Model:
    """The network in the form that quantises: equal outputs but for float rounding, layers of equal names.

    Batch norms without a convolution are moved, merged or replaced as described at the head of this module.  A layer
    `NAME_rounded`, a linear activation, follows each float layer whose output goes back to 8 bits.  A ChannelSizes
    layer `NAME_sizes` follows each batch norm, folded into its convolution, that only float layers read.

    Args:
        network: Float network, functional.
        float_layers: Names of the layers that stay in float, as resolve_float_layers returns them.

    Returns:
        A new network; the given one stays as it is.

    Raises:
        UserError: A batch norm has nothing to fold into.
    """
    # Old tensor's id: its new tensor, and the affine map (name, scale, shift) still to be applied to that.
    tensors, pending, producers = {}, {}, _producers(network)
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer):
            tensors[id(layer.output)] = tf_keras.Input(layer.output.shape[1:], name=layer.name)
            continue
        source, result = id(layer.input) if not isinstance(layer.input, list) else None, id(layer.output)
        in_float = layer.name in float_layers
        if isinstance(layer, layers.BatchNormalization) and not in_float and not _folds(layer, producers):
            tensors[result], pending[result] = tensors[source], _merged(pending.get(source), layer)
        elif source in pending and isinstance(layer, PASSED):
            tensors[result], pending[result] = _copy(layer, tensors[source]), pending[source]
        elif source in pending and isinstance(layer, layers.Dense) and layer.use_bias and not in_float:
            tensors[result] = _copy(layer, tensors[source], _folded(pending[source], layer))
        else:
            inputs = tf.nest.map_structure(lambda x: _applied(tensors, pending, x), layer.input)
            tensors[result] = _with_border(layer, _copy(layer, inputs), float_layers, network, producers)
    outputs = _applied(tensors, pending, network.output)
    return tf_keras.Model(tensors[id(network.input)], outputs, name=network.name)


def readers(network: tf_keras.Model, layer: tf_keras.layers.Layer) -> list[tf_keras.layers.Layer]:
    """The layers that take a layer's output as an input.

    Args:
        network: Network of the layer.
        layer: One of its layers.
    """
    return [other for other in network.layers if id(layer.output) in map(id, tf.nest.flatten(other.input))]


def _producers(network):
    """{id of a tensor: layer whose output it is}."""
    return {id(layer.output): layer for layer in network.layers}


def _folds(norm, producers):
    """Whether a layer is a batch norm that folds into the convolution before it."""
    return isinstance(norm, layers.BatchNormalization) and isinstance(producers[id(norm.input)], CONVOLUTIONS)


def _merged(before, norm):
    """(name, scale, shift) of a batch norm, after the map still to be applied before it."""
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    _, inner_scale, inner_shift = before or ("", 1.0, 0.0)
    return norm.name, inner_scale * scale, (inner_shift - mean) * scale + beta


def _folded(affine, dense):
    """Weights of a dense layer that applies the map first."""
    _, scale, shift = affine
    kernel, *bias = dense.get_weights()
    return [scale[:, np.newaxis] * kernel, *(value + shift @ kernel for value in bias)]


def _applied(tensors, pending, tensor):
    """The new tensor of an old one, after the map that is pending on it."""
    if id(tensor) in pending:
        name, scale, shift = pending.pop(id(tensor))
        if len(tensor.shape) != 4 or len(shift) != tensor.shape[-1]:  # or of another axis than the channels
            raise UserError(f"quantise: batch norm '{name}' has nothing to fold into; add it to quantise.float_layers.")
        scale = np.where(np.abs(scale) < SMALLEST_SCALE, SMALLEST_SCALE, scale)
        convolution = layers.DepthwiseConv2D(1, name=name)
        tensors[id(tensor)] = convolution(tensors[id(tensor)])
        convolution.set_weights([scale.reshape(1, 1, -1, 1), shift])
    return tensors[id(tensor)]


def _with_border(layer, output, float_layers, network, producers):
    """A layer's output on its way from 8 bits to float or back: with its channels' sizes, or rounded."""
    following = readers(network, layer)
    if layer.name not in float_layers:
        to_float = following and all(_in_float(other, float_layers, network) for other in following)
        return ChannelSizes(name=layer.name + SIZES)(output) if to_float and _folds(layer, producers) else output
    if all(other.name in float_layers or isinstance(other, layers.ReLU) for other in following):
        return output
    return layers.Activation("linear", name=f"{layer.name}_rounded")(output)


def _in_float(layer, float_layers, network):
    """Whether a float layer is no sum that a ReLU follows, of which TFMOT and the converter make int8."""
    relu = any(isinstance(other, layers.ReLU) for other in readers(network, layer))
    return layer.name in float_layers and not (relu and isinstance(layer, layers.Add))


def _copy(layer, inputs, weights=None):
    """The output of a copy of a layer for new inputs."""
    copy = type(layer).from_config(layer.get_config())
    output = copy(inputs)
    copy.set_weights(layer.get_weights() if weights is None else weights)
    return output
