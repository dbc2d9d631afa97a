"""Estimate of the RAM that TensorFlow Lite Micro needs for the arena of a network.

Method:  its greedy planner over the tensors' lifetimes, and the size of its structs for a tensor, an operation and a
         channel of a convolution, fitted to four arenas of tflite-micro 0.dev20261023182759 on a processor of 64
         bits: 3,488, 18,256, 79,312 and 238,032 bytes, met to 10. One of 32 bits needs less for the structs;
         optimised kernels (CMSIS-NN) need scratch on top. Reserve more than the estimate, then read
         arena_used_bytes().
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from asc_tf.tflite import _compat
from asc_tf.tflite import file as tflite_file

ALIGNMENT = 16  # bytes
FLOAT_BYTES = 4  # of an element, in layers in float
TENSOR_BYTES, NODE_BYTES, CHANNEL_BYTES, FIXED_BYTES = 24, 162, 8, 610


class TensorLifetime(NamedTuple):
    """Size of a computed tensor, and the operations between which its memory is in use.

    Args:
        size_bytes: Size of the tensor.
        first: Index of the first operation that needs it.
        last: Index of the last operation that needs it, this one included.
    """

    size_bytes: int
    first: int
    last: int

    @property
    def aligned_bytes(self) -> int:
        """Size rounded up to whole alignments."""
        return math.ceil(self.size_bytes / ALIGNMENT) * ALIGNMENT

    def overlaps(self, other: "TensorLifetime") -> bool:
        """Whether an operation needs both tensors."""
        return self.first <= other.last and other.first <= self.last


def estimate(content: bytes) -> int:
    """Bytes of the arena of an int8 file.

    Args:
        content: Bytes of the file.
    """
    model, graph = tflite_file.graph(content)
    channels = sum(_channels(model, graph, operator) for operator in graph.operators)
    structs = TENSOR_BYTES * len(graph.tensors) + NODE_BYTES * len(graph.operators) + CHANNEL_BYTES * channels
    return planned_bytes(lifetimes(model, graph)) + structs + FIXED_BYTES


def lifetimes(model: _compat.ModelT, graph: _compat.SubGraphT) -> list[TensorLifetime]:
    """Lifetimes of all computed tensors, in the file's order.

    Inputs live from the start and outputs to the end.

    Args:
        model: The file.
        graph: Its graph.
    """
    spans = {index: [0, 0] for index in graph.inputs}
    for step, operator in enumerate(graph.operators):
        for index in [*operator.inputs, *operator.outputs]:
            if index >= 0 and not len(tflite_file.data(model, graph.tensors[index])):
                spans.setdefault(index, [step, step])[1] = step
    for index in graph.outputs:
        spans[index][1] = len(graph.operators)
    return [TensorLifetime(_bytes(graph.tensors[index]), *span) for index, span in sorted(spans.items())]


def planned_bytes(tensors: Sequence[TensorLifetime]) -> int:
    """Memory for tensors by the planner of TensorFlow Lite Micro.

    The largest tensor is placed first, of equal ones the last, each at the lowest offset that is free all its life.

    Args:
        tensors: Lifetimes in the file's order, at least one.

    Returns:
        Bytes up to the end of the highest tensor.
    """
    placed = []  # ((start, end), tensor)
    for tensor in sorted(reversed(tensors), key=lambda tensor: -tensor.aligned_bytes):
        start, size = 0, tensor.aligned_bytes
        for used_start, used_end in sorted(span for span, other in placed if tensor.overlaps(other)):
            if used_start - start >= size:
                break
            start = max(start, used_end)
        placed.append(((start, start + size), tensor))
    return max(end for (_, end), _ in placed)


def _bytes(tensor):
    """Bytes of a computed tensor, int8 or float."""
    return math.prod(map(int, tensor.shape)) * (FLOAT_BYTES if tflite_file.TYPES[tensor.type] == "float32" else 1)


def _channels(model, graph, operator):
    """Output channels of a convolution, 0 of other operations."""
    if not tflite_file.operator_name(model, operator).endswith("CONV_2D"):
        return 0
    return int(graph.tensors[operator.outputs[0]].shape[-1])
