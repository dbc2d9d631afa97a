"""The graph of a functional network: its layer calls in the order they run, and which values they read and write.

NetworkCache inside a network are unpacked. Every tensor is identified by an integer, its value, so that a layer
that is called twice writes two values.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import keras
from keras import layers

from asc_tf.cost import _compat
from asc_tf.errors import UserError

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D)
# An interpreter computes these in place or removes them.
IN_PLACE = (
    layers.BatchNormalization, layers.ReLU, layers.LeakyReLU, layers.Activation, layers.Softmax,
    layers.Dropout, layers.Reshape, layers.Flatten, layers.Identity,
)  # fmt: skip


class Call(NamedTuple):
    """One call of a layer.

    Args:
        layer: The layer, or another Keras operation.
        inputs: Values that it reads.
        outputs: Values that it writes.
        input_shapes: Shapes of the inputs without the batch.
        output_shapes: Shapes of the outputs without the batch.
    """

    layer: keras.Operation
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]


class Graph:
    """The layer calls of a functional network.

    Args:
        network: A functional network or a built Sequential.

    Attributes:
        calls: List of Call in the order in which they run.
        inputs: Shape without the batch of every input value.
        outputs: Values of the network's outputs.
        producer: The Call that writes a value, by value; the network's inputs have none.

    Raises:
        UserError: The network is not functional.
    """

    def __init__(self, network: keras.Model):
        if not _compat.is_functional(network):
            raise UserError(f"{network.name}: is not a functional network; only those can be counted.")
        self._numbers = itertools.count()
        values = {id(tensor): next(self._numbers) for tensor in network.inputs}
        self.inputs = dict(zip(values.values(), map(_shape, network.inputs), strict=True))
        self.calls = list(self._unpacked(network, values))
        self.outputs = [values[id(tensor)] for tensor in network.outputs]
        self.producer = {value: call for call in self.calls for value in call.outputs}
        self._readers = {}
        for call in self.calls:
            for value in set(call.inputs):
                self._readers.setdefault(value, []).append(call)

    def only_reader(self, value: int) -> Call | None:
        """The single call that reads a value; None where there are several or the value is an output."""
        readers = self._readers.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self.outputs else None

    def subsampling(self, call: Call) -> Call | None:
        """The call of MaxPooling2D(1, strides) that drops positions of a convolution's output.

        TensorFlow's CPU kernel rejects depthwise strides that differ by axis, so a network may run such a
        convolution at stride 1 and drop positions afterwards, directly or after batch norm and activation.
        The device runs the strides themselves.

        Args:
            call: Call of a convolution.

        Returns:
            None where the output is not subsampled, or is also read by another call.
        """
        reader = self.only_reader(call.outputs[0])
        while reader and isinstance(reader.layer, (layers.BatchNormalization, layers.ReLU, layers.Activation)):
            reader = self.only_reader(reader.outputs[0])
        return reader if reader and subsamples(reader.layer) else None

    def _unpacked(self, network, values: dict[int, int]) -> Iterator[Call]:
        """Calls of a network; adds the value of every tensor to `values`, {id of a tensor: value}."""
        for node in _compat.nodes(network):
            inputs = tuple(values[id(tensor)] for tensor in node.input_tensors)
            layer = node.operation
            if isinstance(layer, keras.Model):
                inner = dict(zip(map(id, layer.inputs), inputs, strict=True))
                yield from self._unpacked(layer, inner)
                values |= {id(t): inner[id(output)] for t, output in zip(node.outputs, layer.outputs, strict=True)}
            else:
                outputs = tuple(next(self._numbers) for _ in node.outputs)
                values |= dict(zip(map(id, node.outputs), outputs, strict=True))
                shapes = (tuple(map(_shape, tensors)) for tensors in (node.input_tensors, node.outputs))
                yield Call(layer, inputs, outputs, *shapes)


def subsamples(layer: keras.Operation) -> bool:
    """Whether a layer drops positions and leaves the others unchanged."""
    return isinstance(layer, layers.MaxPooling2D) and tuple(layer.pool_size) == (1, 1)


def _shape(tensor):
    return tuple(tensor.shape[1:])
