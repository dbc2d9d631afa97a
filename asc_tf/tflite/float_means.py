"""Means in TFLite files that are computed in 8 bits although their layer is in float.

TensorFlow 2.21's converter computes a mean whose input comes from 8 bits in 8 bits, with the input's scale, and
converts the rounded mean to float; 2.17's converts the input and computes the mean in float.
"""

from asc_tf.tflite import _compat
from asc_tf.tflite import file as tflite_file

FLOAT = _compat.TensorType.FLOAT32


def with_float_means(content: bytes) -> bytes:
    """Computes every mean in float that is read by conversions to float alone.

    Args:
        content: Bytes of a TFLite file.

    Returns:
        Bytes of a file without these roundings.
    """
    model, graph = tflite_file.graph(content)
    for mean in [operator for operator in graph.operators if tflite_file.operator_name(model, operator) == "MEAN"]:
        readers = [operator for operator in graph.operators if mean.outputs[0] in operator.inputs]
        are_conversions = all(tflite_file.operator_name(model, reader) == "DEQUANTIZE" for reader in readers)
        if readers and are_conversions and mean.outputs[0] not in graph.outputs:
            first, *others = (reader.outputs[0] for reader in readers)
            mean.inputs = [_in_float(model, graph, mean), *mean.inputs[1:]]
            mean.outputs = [first]
            graph.operators = [operator for operator in graph.operators if operator not in readers]
            for operator in graph.operators:
                operator.inputs = [first if index in others else index for index in operator.inputs]
    return _compat.serialise(model)


def _in_float(model, graph, mean):
    """Index of a mean's input in float: of the conversion that exists before it, or of a new one."""
    position, source = graph.operators.index(mean), mean.inputs[0]
    for operator in graph.operators[:position]:
        if operator.inputs[0] == source and tflite_file.operator_name(model, operator) == "DEQUANTIZE":
            return operator.outputs[0]
    of = graph.tensors[source]
    graph.tensors.append(_compat.new(_compat.TensorT, shape=of.shape, type=FLOAT, name=of.name + b"/float"))
    operator = tflite_file.new_operator(model, "DEQUANTIZE", [source], len(graph.tensors) - 1)
    graph.operators.insert(position, operator)
    return operator.outputs[0]
