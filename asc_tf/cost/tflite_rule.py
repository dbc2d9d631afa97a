"""What does the network in a .tflite file cost?

Rule F as it is stored: a convolution or dense operation costs its weights and biases at every output
position, whether they are constants or computed; anything else costs no MACs.  Parameters are the
constants that an operation computes with; shapes and paddings are none.
"""

import math

from asc_tf.cost import memory
from asc_tf.cost.rows import Row
from asc_tf.tflite import file as tflite_file

PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL")
ITEM_BITS = {"int4": 4, "int8": 8, "uint8": 8, "bool": 8, "int16": 16, "float16": 16, "int64": 64, "float64": 64}


def rows(content):
    """One Row for each operation with parameters or MACs, in the order of the file's bytes."""
    model, graph = tflite_file.graph(content)
    counted, found = set(), []
    for operator in graph.operators:
        name, output = tflite_file.operator_name(model, operator), graph.tensors[operator.outputs[0]]
        constants = set(tflite_file.parameters(model, graph, operator))
        parameters = sum(_elements(graph.tensors[index]) for index in constants - counted)
        counted |= constants
        macs = _macs(graph, operator) if name in PRODUCTS else 0
        if parameters or macs:
            found.append(Row((output.name or b"").decode(), name, tuple(output.shape[1:]), parameters, macs))
    return found


def peak_bytes(content):
    """Bytes of the activations that live at the same time, at most: memory.peak of the file as it is stored."""
    model, graph = tflite_file.graph(content)
    sizes = {index: _bytes(tensor) for index, tensor in enumerate(graph.tensors)}
    constant = {index for index, tensor in enumerate(graph.tensors) if len(tflite_file.data(model, tensor))}
    steps = [
        ([index for index in operator.inputs if index >= 0 and index not in constant], list(operator.outputs))
        for operator in graph.operators
    ]
    return memory.peak(steps, sizes, list(graph.inputs), list(graph.outputs))


def _macs(graph, operator):
    used = [graph.tensors[index] for index in operator.inputs[1:] if index >= 0]
    output = graph.tensors[operator.outputs[0]]
    return sum(map(_elements, used)) * (_elements(output) // output.shape[-1])


def _elements(tensor):
    return math.prod(int(size) for size in tensor.shape) if tensor.shape is not None else 1


def _bytes(tensor):
    return -(-_elements(tensor) * ITEM_BITS.get(tflite_file.TYPES[tensor.type], 32) // 8)
