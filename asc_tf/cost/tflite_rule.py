"""Cost of the network in a .tflite file: rule F, as the file is stored.

A convolution or dense operation costs its weights and biases at every output position, whether they are
constants or computed; other operations cost no MACs. Parameters are the constants that an operation
computes with; shapes and paddings are not counted.
"""

import math

from asc_tf.cost import memory
from asc_tf.cost.rows import Row
from asc_tf.tflite import _compat
from asc_tf.tflite import file as tflite_file

PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL")
BIASES = ("int32", "int64")  # types that only the biases of quantised operations have
ITEM_BITS = {"int4": 4, "int8": 8, "uint8": 8, "bool": 8, "int16": 16, "float16": 16, "int64": 64, "float64": 64}


def rows(content: bytes) -> list[Row]:
    """Cost of every operation with parameters or MACs, in the order of execution.

    Args:
        content: Bytes of a .tflite file.

    Returns:
        A row for each operation; constants that several operations share are parameters of the first.
    """
    model, graph = tflite_file.graph(content)
    counted, result = set(), []
    for operator in graph.operators:
        name, output = tflite_file.operator_name(model, operator), graph.tensors[operator.outputs[0]]
        constants = set(tflite_file.parameters(model, graph, operator))
        parameters = sum(_elements(graph.tensors[index]) for index in constants - counted)
        counted |= constants
        macs = _macs(graph, operator) if name in PRODUCTS else 0
        if parameters or macs:
            result.append(Row((output.name or b"").decode(), name, tuple(output.shape[1:]), parameters, macs))
    return result


def challenge_bytes(content: bytes) -> int:
    """Bytes of the parameters as the challenge counts them: one for a bias of 32 or 64 bits, others as stored.

    Args:
        content: Bytes of a .tflite file.
    """
    model, graph = tflite_file.graph(content)
    used = {index for operator in graph.operators for index in tflite_file.parameters(model, graph, operator)}
    biases = {index for index in used if tflite_file.TYPES[graph.tensors[index].type] in BIASES}
    weights = sum(tensor_bytes(graph.tensors[index]) for index in used - biases)
    return weights + sum(_elements(graph.tensors[index]) for index in biases)


def peak_bytes(content: bytes) -> int:
    """Largest number of bytes of simultaneously live activations, in the file's types.

    Args:
        content: Bytes of a .tflite file.
    """
    model, graph = tflite_file.graph(content)
    sizes = {index: tensor_bytes(tensor) for index, tensor in enumerate(graph.tensors)}
    constants = {index for index, tensor in enumerate(graph.tensors) if len(tflite_file.data(model, tensor))}
    steps = [
        ([index for index in operator.inputs if index >= 0 and index not in constants], list(operator.outputs))
        for operator in graph.operators
    ]
    return memory.peak(steps, sizes, list(graph.inputs), list(graph.outputs))


def tensor_bytes(tensor: _compat.TensorT) -> int:
    """Number of bytes of a tensor in its type, whole ones.

    Args:
        tensor: Tensor of a file.
    """
    return -(-_elements(tensor) * ITEM_BITS.get(tflite_file.TYPES[tensor.type], 32) // 8)


def _macs(graph, operator):
    weights = [graph.tensors[index] for index in operator.inputs[1:] if index >= 0]
    output = graph.tensors[operator.outputs[0]]
    return sum(map(_elements, weights)) * (_elements(output) // output.shape[-1])


def _elements(tensor):
    return math.prod(int(size) for size in tensor.shape) if tensor.shape is not None else 1
