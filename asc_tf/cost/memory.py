"""How much memory do the activations of one clip need at least?

Output: the largest sum of simultaneously live tensors in the order of execution, which an interpreter's
        arena cannot be below; what kernels need for themselves and the gaps between tensors come on top.
A tensor lives from the step that makes it to the last that reads it, the network's inputs from the start
and its outputs to the end.
"""

import math

from asc_tf.cost._graph import CONVOLUTIONS, IN_PLACE, Graph, subsamples


def peak_values(network):
    """The peak in values, to be multiplied by the bytes of one: 1 as int8, 4 as float.

    Batch norms, activations and reshapings work in the place of their input where nothing else reads it, and
    a convolution whose output is subsampled makes the kept positions only, as on the device.
    """
    graph = Graph(network)
    sizes = {value: math.prod(shape) for value, shape in graph.inputs.items()}
    place, steps = {}, []
    for call in graph.calls:
        inputs = [place.get(value, value) for value in call.inputs]
        if _in_place(graph, call):
            place[call.outputs[0]] = inputs[0]
            continue
        subsampling = graph.subsampling(call) if isinstance(call.layer, CONVOLUTIONS) else None
        sizes |= {v: math.prod(s) for v, s in zip(call.outputs, (subsampling or call).output_shapes, strict=True)}
        steps.append((inputs, call.outputs))
    return peak(steps, sizes, graph.inputs, [place.get(value, value) for value in graph.outputs])


def peak(steps, sizes, inputs, outputs):
    """The peak of [(tensors read, tensors made), ...] in the unit of `sizes`, {tensor: size}."""
    last = {value: number for number, (read, _) in enumerate(steps) for value in read}
    last |= dict.fromkeys(outputs, len(steps))
    live, most = set(inputs), sum(sizes[value] for value in inputs)
    for number, (_, made) in enumerate(steps):
        live |= set(made)
        most = max(most, sum(sizes[value] for value in live))
        live = {value for value in live if last.get(value, number) > number}
    return most


def _in_place(graph, call):
    if not isinstance(call.layer, IN_PLACE):
        maker = _convolution(graph, call) if subsamples(call.layer) else None
        return maker is not None and graph.subsampling(maker) == call
    return graph.only_reader(call.inputs[0]) is not None


def _convolution(graph, call):
    """The convolution that a chain of in-place layers ends in, going back from a call; None without one."""
    maker = graph.maker.get(call.inputs[0])
    while maker and isinstance(maker.layer, IN_PLACE):
        maker = graph.maker.get(maker.inputs[0])
    return maker if maker and isinstance(maker.layer, CONVOLUTIONS) else None
