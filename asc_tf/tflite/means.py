"""Means in TFLite files that TensorFlow 2.21's converter rounds with the scale of their input.

A mean has a smaller range than what it is of, so that this rounding is too coarse. There are two kinds of these:

- A layer in float. 2.21's converter computes the mean in 8 bits and converts the rounded mean to float, at once or
  after reshapes and transpositions; 2.17's converts the input and computes the mean in float.
- A layer with a range of its own, before a reshape and a transposition. 2.21's converter moves the range behind the
  first of these, where it rounds a second time, by a QUANTIZE from 8 bits to 8 bits; 2.17's gives the mean its range,
  as 2.21's does before a single one.

The kernels of TFLite and TFLite Micro round a mean once, with any scale.
"""

from asc_tf.tflite import _compat
from asc_tf.tflite import file as tflite_file

FLOAT, INT8 = _compat.TensorType.FLOAT32, _compat.TensorType.INT8
ARRANGING = ("RESHAPE", "TRANSPOSE", "UNPACK", "SQUEEZE", "EXPAND_DIMS")  # they take the scale of their input


def with_float_means(content: bytes) -> bytes:
    """Computes every mean in float that has its input's scale and is read by conversions to float alone.

    Args:
        content: Bytes of a TFLite file.

    Returns:
        Bytes of a file without these roundings.
    """
    model, graph = tflite_file.graph(content)
    for mean, tensors, readers in _rounded_as_their_input(model, graph):
        if _are(model, readers, "DEQUANTIZE"):
            mean.inputs = [_in_float(model, graph, mean), *mean.inputs[1:]]
            for index in tensors:
                graph.tensors[index].type, graph.tensors[index].quantization = FLOAT, None
            _bypass(graph, readers)
    return _compat.serialise(model)


def with_own_scales(content: bytes) -> bytes:
    """Gives every mean the scale that it is converted to later, where it has its input's and nothing else reads it.

    Args:
        content: Bytes of a TFLite file.

    Returns:
        Bytes of a file without these conversions from 8 bits to 8 bits.
    """
    model, graph = tflite_file.graph(content)
    for _, tensors, readers in _rounded_as_their_input(model, graph):
        results = [graph.tensors[reader.outputs[0]] for reader in readers]
        is_one_scale = len({_scale(result) for result in results}) == 1
        if is_one_scale and _are(model, readers, "QUANTIZE") and results[0].type == INT8:
            for index in tensors:
                graph.tensors[index].quantization = results[0].quantization
            _bypass(graph, readers)
    return _compat.serialise(model)


def _rounded_as_their_input(model, graph):
    """(mean, indices of its output and of its arrangements, other operations that read these) of each mean.

    Of means in 8 bits with the scale of their input alone, and only where none of the tensors is an output of the file.
    The last comes first, and each is looked at when those after it are done: one of them may read it.
    """
    means = [operator for operator in graph.operators if tflite_file.operator_name(model, operator) == "MEAN"]
    for mean in reversed(means):
        tensors, readers = _arrangements(model, graph, mean)
        source, result = graph.tensors[mean.inputs[0]], graph.tensors[mean.outputs[0]]
        is_rounded = source.type == result.type == INT8 and _scale(source) == _scale(result)
        is_inside = not {*tensors, *(reader.outputs[0] for reader in readers)} & set(graph.outputs)
        if readers and is_rounded and is_inside:
            yield mean, tensors, readers


def _arrangements(model, graph, mean):
    """Indices of a mean's output and of its arrangements, and the other operations that read them."""
    tensors, readers = list(mean.outputs), []
    for index in tensors:  # which grows
        for operator in [operator for operator in graph.operators if index in operator.inputs]:
            if tflite_file.operator_name(model, operator) in ARRANGING:
                tensors += list(operator.outputs)
            else:
                readers.append(operator)
    return tensors, readers


def _are(model, operators, name):
    return all(tflite_file.operator_name(model, operator) == name for operator in operators)


def _scale(tensor):
    """(scales, zero points) of a tensor."""
    quantisation = tensor.quantization
    if quantisation is None or quantisation.scale is None:
        return ()
    return tuple(quantisation.scale), tuple(quantisation.zeroPoint)


def _bypass(graph, conversions):
    """Removes operations of one input; what read their results reads their inputs."""
    sources = {conversion.outputs[0]: conversion.inputs[0] for conversion in conversions}
    graph.operators = [operator for operator in graph.operators if operator not in conversions]
    for operator in graph.operators:
        operator.inputs = [sources.get(index, index) for index in operator.inputs]


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
