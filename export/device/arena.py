"""How much RAM will TensorFlow Lite Micro need for its arena?

Way:     its greedy planner over the tensors' lifetimes, and what its structs take a tensor, operation and channel of
         a convolution, fitted to four arenas of tflite-micro 0.dev20261023182759 on a processor of 64 bits: 3,488,
         18,256, 79,312 and 238,032 bytes, met to 10. One of 32 bits needs less for the structs; optimised kernels
         (CMSIS-NN) need scratch on top. An estimate: give more, then ask arena_used_bytes().
"""

import math
from typing import NamedTuple

from asc_tf.tflite import file as tflite_file

ALIGNMENT = 16
TENSOR_BYTES, NODE_BYTES, CHANNEL_BYTES, FIXED_BYTES = 24, 162, 8, 610


class Tensor(NamedTuple):
    """Bytes of a tensor and the first and last operation that need it."""

    size: int
    first: int
    last: int


def estimate(content):
    """Bytes of the arena of an int8 file."""
    model, graph = tflite_file.graph(content)
    channels = sum(_channels(model, graph, operator) for operator in graph.operators)
    structs = TENSOR_BYTES * len(graph.tensors) + NODE_BYTES * len(graph.operators) + CHANNEL_BYTES * channels
    return planned(lifetimes(model, graph)) + structs + FIXED_BYTES


def lifetimes(model, graph):
    """[Tensor, ...] of what is computed, in the file's order; inputs live from the start and outputs to the end."""
    lives = {index: [0, 0] for index in graph.inputs}
    for step, operator in enumerate(graph.operators):
        for index in [*operator.inputs, *operator.outputs]:
            if index >= 0 and not len(tflite_file.data(model, graph.tensors[index])):
                lives.setdefault(index, [step, step])[1] = step
    for index in graph.outputs:
        lives[index][1] = len(graph.operators)
    return [Tensor(math.prod(map(int, graph.tensors[index].shape)), *life) for index, life in sorted(lives.items())]


def planned(tensors):
    """Bytes when the largest, of equal ones the last, is placed first, each at the lowest place free all its life."""
    placed = []
    for tensor in sorted(reversed(tensors), key=lambda tensor: -_aligned(tensor)):
        start, size = 0, _aligned(tensor)
        for there, end in sorted(place for place, other in placed if _meet(tensor, other)):
            if there - start >= size:
                break
            start = max(start, end)
        placed.append(((start, start + size), tensor))
    return max(end for (_, end), _ in placed)


def _aligned(tensor):
    return math.ceil(tensor.size / ALIGNMENT) * ALIGNMENT


def _meet(one, other):
    return one.first <= other.last and other.first <= one.last


def _channels(model, graph, operator):
    if not tflite_file.operator_name(model, operator).endswith("CONV_2D"):
        return 0
    return int(graph.tensors[operator.outputs[0]].shape[-1])
