"""How do two TFLite files become one that runs the first and then the second?

The operations and weights of both stay as they are, so the whole answers as the two do one after the other; a
conversion of the whole to 8 bits would round a front end's filter bank too.
"""

from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from asc_tf.tflite import file as tflite_file

FLOAT = schema.TensorType.FLOAT32


def join(first, second, *, input_name, output_name):
    """A file from the input of `first` to the output of `second`, both float32, under these names; as bytes.

    first, second: files of one graph with one input and one output.  QUANTIZE and DEQUANTIZE stand before and
    after a `second` that computes in 8 bits.
    """
    model, graph = tflite_file.graph(first)
    between, operators, (enters, leaves) = graph.outputs[0], *_taken_over(model, graph, *tflite_file.graph(second))
    if graph.tensors[enters].type == FLOAT:
        for operator in operators:
            operator.inputs = [between if index == enters else index for index in operator.inputs]
    else:
        graph.operators.append(_operator(model, "QUANTIZE", between, enters))
    graph.operators += operators
    if graph.tensors[leaves].type != FLOAT:
        graph.tensors.append(_made(schema.TensorT, shape=graph.tensors[leaves].shape, type=FLOAT))
        graph.operators.append(_operator(model, "DEQUANTIZE", leaves, len(graph.tensors) - 1))
        leaves = len(graph.tensors) - 1
    graph.outputs, model.metadata, model.metadataBuffer = [leaves], None, None
    _name(model, graph, input_name, output_name)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _taken_over(model, graph, other, tail):
    """Moves all but the operators of `tail` into `graph`; those, and the new numbers of its input and output."""
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
    return tail.operators, (tail.inputs[0] + tensors, tail.outputs[0] + tensors)


def _operator(model, name, source, target):
    code = getattr(schema.BuiltinOperator, name)
    model.operatorCodes.append(_made(schema.OperatorCodeT, builtinCode=code, deprecatedBuiltinCode=code))
    return _made(schema.OperatorT, opcodeIndex=len(model.operatorCodes) - 1, inputs=[source], outputs=[target])


def _name(model, graph, input_name, output_name):
    ends = [(graph.inputs[0], input_name), (graph.outputs[0], output_name)]
    for index, name in ends:
        graph.tensors[index].name = name
    entry, answer = ([_made(schema.TensorMapT, name=name, tensorIndex=index)] for index, name in ends)
    model.signatureDefs = [_made(schema.SignatureDefT, inputs=entry, outputs=answer, signatureKey="serving_default")]


def _made(kind, **values):
    made = kind()  # these classes take no arguments
    vars(made).update(values)
    return made
