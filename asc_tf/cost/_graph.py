"""Which layers run in a functional network, in which order, and who reads what they make?

Networks inside a network are unpacked.  Every tensor is a number, its value's, so that a layer called
twice makes two of them.
"""

import itertools
import typing

import keras
from keras import layers as kinds

from asc_tf.errors import UserError

CONVOLUTIONS = (kinds.Conv1D, kinds.Conv2D, kinds.Conv3D, kinds.DepthwiseConv1D, kinds.DepthwiseConv2D)
# What an interpreter does on the way, into the place of its input or not at all.
IN_PLACE = (
    kinds.BatchNormalization, kinds.ReLU, kinds.LeakyReLU, kinds.Activation, kinds.Softmax,
    kinds.Dropout, kinds.Reshape, kinds.Flatten, kinds.Identity,
)  # fmt: skip


class Call(typing.NamedTuple):
    """One call of a layer: the values it reads and makes, and the shapes of both without the batch."""

    layer: object
    inputs: tuple
    outputs: tuple
    input_shapes: tuple
    output_shapes: tuple


class Graph:
    """The calls of a functional network in the order they run; UserError for a network that is not functional."""

    def __init__(self, network):
        if not hasattr(_functional(network), "_nodes_by_depth"):
            raise UserError(f"{network.name}: is not a functional network; only those can be counted.")
        self._numbers = itertools.count()
        known = {id(tensor): next(self._numbers) for tensor in network.inputs}
        self.inputs = dict(zip(known.values(), map(_shape, network.inputs), strict=True))
        self.calls = list(self._unpacked(network, known))
        self.outputs = [known[id(tensor)] for tensor in network.outputs]
        self.maker = {value: call for call in self.calls for value in call.outputs}
        self._readers = {}
        for call in self.calls:
            for value in set(call.inputs):
                self._readers.setdefault(value, []).append(call)

    def only_reader(self, value):
        """The call that alone reads a value; None where there are more or it leaves the network."""
        readers = self._readers.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self.outputs else None

    def subsampling(self, call):
        """The call of MaxPooling2D(1, strides) that drops positions of a convolution; None without one.

        TensorFlow's CPU kernel refuses depthwise strides that differ by axis, so a network may run one at
        stride 1 and keep every second position, directly or after batch norm and activation.  The device
        runs the stride itself.
        """
        follower = self.only_reader(call.outputs[0])
        while follower and isinstance(follower.layer, (kinds.BatchNormalization, kinds.ReLU, kinds.Activation)):
            follower = self.only_reader(follower.outputs[0])
        return follower if follower and subsamples(follower.layer) else None

    def _unpacked(self, network, known):
        for node in _nodes(network):
            inputs = tuple(known[id(tensor)] for tensor in node.input_tensors)
            inner = node.operation
            if isinstance(inner, keras.Model):
                inside = dict(zip(map(id, inner.inputs), inputs, strict=True))
                yield from self._unpacked(inner, inside)
                known |= {id(t): inside[id(own)] for t, own in zip(node.outputs, inner.outputs, strict=True)}
            else:
                outputs = tuple(next(self._numbers) for _ in node.outputs)
                known |= dict(zip(map(id, node.outputs), outputs, strict=True))
                yield Call(inner, inputs, outputs, *(tuple(map(_shape, t)) for t in (node.input_tensors, node.outputs)))


def subsamples(layer):
    """Whether a layer keeps every n-th position as it is."""
    return isinstance(layer, kinds.MaxPooling2D) and tuple(layer.pool_size) == (1, 1)


def _nodes(network):
    """Keras' nodes of a network in the order of its calls, its inputs left out."""
    by_depth = _functional(network)._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


def _functional(network):
    return getattr(network, "_functional", network)  # a Sequential holds one


def _shape(tensor):
    return tuple(tensor.shape[1:])
