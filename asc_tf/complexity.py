"""What does a network cost, as the challenge counts?

Source: rule T of NeSsi, the counter of the DCASE challenges, with its PyTorch back end (torchinfo).
        Parameters are the trainable ones: running statistics of a batch norm are not among them.
        A convolution costs its weights and biases at every output position; any other layer of Keras
        costs its parameters once, whatever it is applied to; the weights of a project's own layers,
        activations, poolings and additions cost nothing.
Input:  a functional Keras model, of one input clip.   Output: Cost(parameters, macs).
"""

import typing

import keras
from keras import layers as kinds

# DCASE 2024 Challenge, Task 1, system complexity requirements: 128 kB for the parameters (128,000 of
# int8) and 30 million multiply-accumulate operations for one second of audio.
MAX_BYTES = 128_000
MAX_MACS = 30_000_000

CONVOLUTIONS = (kinds.Conv1D, kinds.Conv2D, kinds.Conv3D, kinds.DepthwiseConv1D, kinds.DepthwiseConv2D)
# Named, because a frozen layer has no trainable weights and still costs the same.
STATISTICS = ("moving_mean", "moving_variance")


class Cost(typing.NamedTuple):
    """Trainable parameters, and multiply-accumulate operations for one clip; equal to a plain tuple."""

    parameters: int
    macs: int


class Row(typing.NamedTuple):
    """The cost of one layer, and its output shape without the batch."""

    name: str
    kind: str
    output_shape: tuple
    parameters: int
    macs: int


def measure(network):
    """The Cost of a functional network."""
    rows = layers(network)
    return Cost(sum(row.parameters for row in rows), sum(row.macs for row in rows))


def layers(network):
    """One Row for each layer with parameters, in the order of the network; layers inside models are unpacked."""
    consumers = _consumers(network)
    rows = []
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            rows += layers(layer)
        elif layer.weights:
            rows.append(_row(layer, consumers))
    return rows


def _row(layer, consumers):
    parameters = sum(_size(weight.shape) for weight in layer.weights if weight.name not in STATISTICS)
    shape = tuple(layer.output.shape[1:])
    if isinstance(layer, CONVOLUTIONS):
        macs = parameters * _size(_kept_positions(layer, consumers))
    else:
        macs = parameters if type(layer).__module__.startswith("keras.") else 0
    return Row(layer.name, type(layer).__name__, shape, parameters, macs)


def _kept_positions(layer, consumers):
    """Output positions (bands, frames) of a convolution, less those that an exact subsampling drops.

    TensorFlow's CPU kernel refuses depthwise strides that differ by axis, so a network may run one at
    stride 1 and keep every second position by MaxPooling2D(1, strides), directly or after batch norm
    and activation.  The device runs the stride itself.
    """
    follower = layer
    while len(consumers.get(follower.name, ())) == 1:
        follower = consumers[follower.name][0]
        if isinstance(follower, kinds.MaxPooling2D) and tuple(follower.pool_size) == (1, 1):
            return tuple(follower.output.shape[1:-1])
        if not isinstance(follower, (kinds.BatchNormalization, kinds.ReLU, kinds.Activation)):
            break
    return tuple(layer.output.shape[1:-1])


def _consumers(network):
    """Which layers take the output of each layer?  {name: [layer, ...]}"""
    makers = {id(layer.output): layer.name for layer in network.layers if _is_plain(layer)}
    consumers = {}
    for layer in filter(_is_plain, network.layers):
        for tensor in keras.tree.flatten(layer.input):
            consumers.setdefault(makers.get(id(tensor)), []).append(layer)
    return consumers


def _is_plain(layer):
    return not isinstance(layer, keras.Model)


def _size(shape):
    size = 1
    for axis in shape:
        size *= axis
    return size
