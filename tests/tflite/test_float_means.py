"""Means of layers in float."""

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.tflite import _compat, float_means, interpreter
from asc_tf.tflite import file as tflite_file

SCALE = 2 / 255  # of int8 inputs from -1 to 1


@pytest.mark.parametrize("with_conversion", [False, True])
def test_a_mean_in_8_bits_that_is_read_in_float_is_computed_in_float(with_conversion):
    content = float_means.with_float_means(_file(with_conversion))
    names = [operator.name for operator in tflite_file.operators(content)]
    assert sorted(names) == sorted(["DEQUANTIZE", "MEAN"] + with_conversion * ["ADD"])
    x = np.random.default_rng(0).integers(-128, 128, (1, 5, 3)).astype(np.int8)
    runner = interpreter.create(content)
    runner.set_tensor(runner.get_input_details()[0]["index"], x)
    runner.invoke()
    mean = x.astype("f").mean(axis=1, keepdims=True) * SCALE
    expected = x.astype("f") * SCALE + mean if with_conversion else mean
    np.testing.assert_allclose(runner.get_tensor(runner.get_output_details()[0]["index"]), expected, atol=1e-6)


def test_a_mean_in_8_bits_that_is_read_in_8_bits_stays():
    model, graph = tflite_file.graph(_file(False))
    (mean,) = [operator for operator in graph.operators if tflite_file.operator_name(model, operator) == "MEAN"]
    graph.operators, graph.outputs = [mean], [mean.outputs[0]]
    content = _compat.serialise(model)
    assert float_means.with_float_means(content) == content


def _file(with_conversion):
    """int8 input, its mean over an axis in int8, that in float; with_conversion: plus the input in float."""
    concrete = tf.function(lambda x: tf.reduce_mean(x, axis=1, keepdims=True)).get_concrete_function(
        tf.TensorSpec((1, 5, 3), tf.float32)
    )
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module()).convert()
    model, graph = tflite_file.graph(content)
    (mean,) = graph.operators
    quantisation = _compat.new(_compat.QuantizationParametersT, scale=np.array([SCALE], "f"), zeroPoint=np.array([0]))
    for index in (mean.inputs[0], mean.outputs[0]):
        graph.tensors[index].type, graph.tensors[index].quantization = _compat.TensorType.INT8, quantisation
    output = _add(model, graph, "DEQUANTIZE", [mean.outputs[0]], (1, 1, 3))
    if with_conversion:
        whole = _add(model, graph, "DEQUANTIZE", [mean.inputs[0]], (1, 5, 3), at=0)
        output = _add(model, graph, "ADD", [whole, output], (1, 5, 3))
    graph.outputs = [output]
    model.signatureDefs = None
    return _compat.serialise(model)


def _add(model, graph, name, inputs, shape, at=None):
    """Adds an operation with a float output; the index of that."""
    tensor = _compat.new(_compat.TensorT, shape=list(shape), type=_compat.TensorType.FLOAT32, name=name)
    graph.tensors.append(tensor)
    operator = tflite_file.new_operator(model, name, inputs, len(graph.tensors) - 1)
    graph.operators.insert(len(graph.operators) if at is None else at, operator)
    return len(graph.tensors) - 1
