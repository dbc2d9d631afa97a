"""Smallest memory that the activations of one clip need.

The result is the largest sum of simultaneously live tensors in the order of execution, a lower bound of an
interpreter's arena; the kernels' own buffers and gaps between tensors come on top. A tensor is live from the
step that writes it to the last that reads it, the network's inputs from the start and its outputs to the end.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence

import keras

from asc_tf.cost._graph import CONVOLUTIONS, IN_PLACE, Call, Graph, subsamples


def peak_values(network: keras.Model) -> int:
    """Largest number of simultaneously live values; times 1 byte as int8, times 4 as float.

    Batch norms, activations and reshapings work in place where nothing else reads their input, and a convolution
    whose output is subsampled writes the remaining positions only, as on the device.

    Args:
        network: A functional network.

    Raises:
        UserError: The network is not functional.
    """
    graph = Graph(network)
    sizes = {value: math.prod(shape) for value, shape in graph.inputs.items()}
    buffers, steps = {}, []  # {value written in place: the value whose memory it takes over}
    for call in graph.calls:
        inputs = [buffers.get(value, value) for value in call.inputs]
        if _is_in_place(graph, call):
            buffers[call.outputs[0]] = inputs[0]
            continue
        subsampling = graph.subsampling(call) if isinstance(call.layer, CONVOLUTIONS) else None
        sizes |= {v: math.prod(s) for v, s in zip(call.outputs, (subsampling or call).output_shapes, strict=True)}
        steps.append((inputs, call.outputs))
    return peak(steps, sizes, graph.inputs, [buffers.get(value, value) for value in graph.outputs])


def peak(
    steps: Sequence[tuple[Iterable[Hashable], Iterable[Hashable]]],
    sizes: Mapping[Hashable, int],
    inputs: Iterable[Hashable],
    outputs: Iterable[Hashable],
) -> int:
    """Largest sum of simultaneously live tensors.

    Args:
        steps: (tensors read, tensors written) of every step, in the order of execution.
        sizes: Size of every tensor.
        inputs: The network's inputs, live from the start.
        outputs: The network's outputs, live to the end.

    Returns:
        The sum in the unit of `sizes`.
    """
    last_step = {tensor: step for step, (read, _) in enumerate(steps) for tensor in read}
    last_step |= dict.fromkeys(outputs, len(steps))
    live, most = set(inputs), sum(sizes[tensor] for tensor in inputs)
    for step, (_, written) in enumerate(steps):
        live |= set(written)
        most = max(most, sum(sizes[tensor] for tensor in live))
        live = {tensor for tensor in live if last_step.get(tensor, step) > step}
    return most


def _is_in_place(graph: Graph, call: Call) -> bool:
    if not isinstance(call.layer, IN_PLACE):
        convolution = _convolution_before(graph, call) if subsamples(call.layer) else None
        return convolution is not None and graph.subsampling(convolution) == call
    return graph.only_reader(call.inputs[0]) is not None


def _convolution_before(graph: Graph, call: Call) -> Call | None:
    """The call of a convolution that only in-place layers separate from a call; None without one."""
    producer = graph.producer.get(call.inputs[0])
    while producer and isinstance(producer.layer, IN_PLACE):
        producer = graph.producer.get(producer.inputs[0])
    return producer if producer and isinstance(producer.layer, CONVOLUTIONS) else None
