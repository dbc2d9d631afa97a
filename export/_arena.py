"""How much RAM will TensorFlow Lite Micro need for its arena?

Way:     its greedy planner over the tensors' lifetimes, and what its structs took in an arena of tflite-micro
         0.dev20261023182759 on a processor of 64 bits. One of 32 bits needs less for them; optimised kernels
         (CMSIS-NN) need scratch of their own on top. An estimate: give more, then ask arena_used_bytes().
"""

import math
from typing import NamedTuple

from asc_tf import tflite_file

ALIGNMENT = 16
TENSOR_BYTES, NODE_BYTES, CHANNEL_BYTES, FIXED_BYTES = 24, 64 + 72, 8, 1500


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
    """[Tensor, ...] of what is computed; inputs live from the first operation on, outputs to the last."""
    lives = {index: [0, 0] for index in graph.inputs}
    for step, operator in enumerate(graph.operators):
        for index in [*operator.inputs, *operator.outputs]:
            if index >= 0 and not len(tflite_file.data(model, graph.tensors[index])):
                lives.setdefault(index, [step, step])[1] = step
    for index in graph.outputs:
        lives[index][1] = len(graph.operators)
    return [Tensor(math.prod(map(int, graph.tensors[index].shape)), *life) for index, life in lives.items()]


def planned(tensors):
    """Bytes when the largest is placed first, each at the lowest place that is free for its whole life."""
    placed = []
    for tensor in sorted(tensors, key=lambda tensor: -tensor.size):
        start, size = 0, math.ceil(tensor.size / ALIGNMENT) * ALIGNMENT
        for there, end in sorted(place for place, other in placed if _meet(tensor, other)):
            if there - start >= size:
                break
            start = max(start, end)
        placed.append(((start, start + size), tensor))
    return max(end for (_, end), _ in placed)


def _meet(one, other):
    return one.first <= other.last and other.first <= one.last


def _channels(model, graph, operator):
    if not tflite_file.operator_name(model, operator).endswith("CONV_2D"):
        return 0
    return int(graph.tensors[operator.outputs[0]].shape[-1])
