"""Joining of two TFLite files to one that runs the first and then the second.

The operations and weights of both stay as they are, so the outputs are those of the two one after the other; a
conversion of the whole to 8 bits would round a front end's filter bank too.
"""

from asc_tf.tflite import _compat
from asc_tf.tflite import file as tflite_file

FLOAT = _compat.TensorType.FLOAT32


def join(first: bytes, second: bytes, *, input_name: str, output_name: str) -> bytes:
    """Joins two TFLite files to one that runs the first, then the second; its input and output are float32.

    QUANTIZE and DEQUANTIZE stand before and after a second file that computes in 8 bits.

    Args:
        first: Bytes of a file of one graph with one input and one output, both float32.
        second: Bytes of the same, in float32 or 8 bits, whose input has the shape of the first's output.
        input_name: Name of the input in the new file.
        output_name: Name of the output in the new file.
    """
    model, graph = tflite_file.graph(first)
    between = graph.outputs[0]
    operators, input_index, output_index = _append(model, graph, *tflite_file.graph(second))
    if graph.tensors[input_index].type == FLOAT:
        for operator in operators:
            operator.inputs = [between if index == input_index else index for index in operator.inputs]
    else:
        graph.operators.append(tflite_file.new_operator(model, "QUANTIZE", [between], input_index))
    graph.operators += operators
    if graph.tensors[output_index].type != FLOAT:
        graph.tensors.append(_compat.new(_compat.TensorT, shape=graph.tensors[output_index].shape, type=FLOAT))
        graph.operators.append(tflite_file.new_operator(model, "DEQUANTIZE", [output_index], len(graph.tensors) - 1))
        output_index = len(graph.tensors) - 1
    graph.outputs, model.metadata, model.metadataBuffer = [output_index], None, None
    _name(model, graph, input_name, output_name)
    return _compat.serialise(model)


def _append(model, graph, other, tail):
    """Adds buffers and tensors of `tail`, not its operators; returns those, and the indices of input and output."""
    codes, buffers, tensors = len(model.operatorCodes), len(model.buffers), len(graph.tensors)
    for tensor in tail.tensors:
        tensor.buffer += buffers
    for operator in tail.operators:
        operator.opcodeIndex += codes
        operator.inputs, operator.outputs = (
            [index + tensors if index >= 0 else index for index in ends] for ends in (operator.inputs, operator.outputs)
        )  # -1 is an input left out
    model.operatorCodes += other.operatorCodes
    model.buffers += other.buffers
    graph.tensors += tail.tensors
    return tail.operators, tail.inputs[0] + tensors, tail.outputs[0] + tensors


def _name(model, graph, input_name, output_name):
    """Names input and output, as tensors and in the file's one signature."""
    ends = [(graph.inputs[0], input_name), (graph.outputs[0], output_name)]
    for index, name in ends:
        graph.tensors[index].name = name
    inputs, outputs = ([_compat.new(_compat.TensorMapT, name=name, tensorIndex=index)] for index, name in ends)
    model.signatureDefs = [
        _compat.new(_compat.SignatureDefT, inputs=inputs, outputs=outputs, signatureKey="serving_default")
    ]
