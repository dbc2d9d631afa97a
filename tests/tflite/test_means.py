"""Means in 8 bits that are read in float or rounded again."""

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.tflite import _compat, interpreter, means
from asc_tf.tflite import file as tflite_file

SCALE = 2 / 255  # of int8 inputs from -1 to 1
OWN_SCALE = 1 / 255  # of their means, from -0.5 to 0.5
ARRANGED = ["nothing", "reshape", "reshape and transposition", "parts"]


@pytest.mark.parametrize("arranged", ARRANGED)
@pytest.mark.parametrize("with_conversion", [False, True])
def test_a_mean_in_8_bits_that_is_read_in_float_is_computed_in_float(with_conversion, arranged):
    content = means.with_float_means(_file("DEQUANTIZE", arranged, with_conversion))
    for operator in tflite_file.operators(content):
        kinds = {"int8", "float32"} if operator.name == "DEQUANTIZE" else {"float32"}
        assert {*operator.inputs, *operator.outputs} == kinds
    x = _clip()
    expected = x.astype("f").mean(axis=1) * SCALE
    values, others = _outputs(content, x)
    np.testing.assert_allclose(values, 2 * expected.ravel(), atol=1e-6)
    if with_conversion:
        np.testing.assert_allclose(others, 2 * SCALE * x.astype("f").ravel(), atol=1e-6)


def test_a_mean_of_a_mean_is_computed_in_float_too():
    content = means.with_float_means(_file("DEQUANTIZE", "mean"))
    kinds = [operator.inputs for operator in tflite_file.operators(content) if operator.name == "MEAN"]
    assert kinds == [("float32",), ("float32",)]
    x = _clip()
    expected = 2 * SCALE * x.astype("f").mean(axis=(1, 2)).ravel()
    np.testing.assert_allclose(_outputs(content, x)[0], expected, atol=1e-6)


@pytest.mark.parametrize("arranged", ARRANGED)
def test_a_mean_that_is_rounded_again_is_rounded_once_with_its_own_scale(arranged):
    content = means.with_own_scales(_file("QUANTIZE", arranged))
    assert "QUANTIZE" not in [operator.name for operator in tflite_file.operators(content)]
    x = _clip()
    expected = x.astype("f").mean(axis=1).ravel() * SCALE / OWN_SCALE
    np.testing.assert_allclose(_outputs(content, x)[0], np.maximum(expected, 0), atol=0.51)


def test_a_mean_that_is_also_read_with_the_scale_of_its_input_keeps_that():
    model, graph = tflite_file.graph(_file("QUANTIZE", "reshape"))
    (mean,) = [operator for operator in graph.operators if tflite_file.operator_name(model, operator) == "MEAN"]
    output = _add(model, graph, "RELU", mean.outputs[0], graph.tensors[mean.outputs[0]])
    graph.outputs = [*graph.outputs, output]
    content = _compat.serialise(model)
    assert means.with_own_scales(content) == content


def test_a_mean_with_its_own_scale_stays():
    model, graph = tflite_file.graph(_file("DEQUANTIZE", "reshape"))
    for tensor in graph.tensors:
        if tensor.type == _compat.TensorType.INT8 and len(tensor.shape) < 4:
            tensor.quantization.scale = np.array([OWN_SCALE], "f")
    content = _compat.serialise(model)
    assert means.with_float_means(content) == content == means.with_own_scales(content)


@pytest.mark.parametrize("arranged", ARRANGED)
def test_a_mean_in_8_bits_that_is_read_in_8_bits_stays(arranged):
    content = _file(None, arranged)
    assert means.with_float_means(content) == content == means.with_own_scales(content)


def _clip():
    return np.random.default_rng(0).integers(-128, 128, (1, 5, 3, 2)).astype(np.int8)


def _file(conversion, arranged, with_conversion=False):
    """int8 input, its mean over an axis with the same scale, that arranged, converted, and ReLU or twice the values.

    with_conversion: also twice the input in float. The converted values of an int8 file have their own scale.
    """

    def call(x):
        y = tf.reduce_mean(x, axis=1)
        if arranged == "mean":
            y = tf.reduce_mean(y, axis=1)
        if arranged.startswith("reshape"):
            y = tf.reshape(y, (1, 6, 1))
        if arranged.endswith("transposition"):
            y = tf.transpose(y, (0, 2, 1))
        return tf.unstack(y, axis=1) if arranged == "parts" else [y]

    spec = tf.TensorSpec((1, 5, 3, 2), tf.float32)
    concrete = tf.function(call).get_concrete_function(spec)
    model, graph = tflite_file.graph(tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module()).convert())
    for tensor in graph.tensors:
        if tensor.type == _compat.TensorType.FLOAT32:
            tensor.type, tensor.quantization = _compat.TensorType.INT8, _quantisation(SCALE)
    own = {None: (_compat.TensorType.INT8, _quantisation(SCALE)), "DEQUANTIZE": (_compat.TensorType.FLOAT32, None)}
    kind, scale = own.get(conversion, (_compat.TensorType.INT8, _quantisation(OWN_SCALE)))
    outputs = []
    for index in graph.operators[-1].outputs:
        shape = graph.tensors[index].shape
        if conversion:
            index = _add(model, graph, conversion, index, _tensor(shape, kind, scale))
        outputs.append(_read(model, graph, index, _tensor(shape, kind, scale)))
    if with_conversion:
        (source,) = graph.inputs
        shape = graph.tensors[source].shape
        index = _add(model, graph, "DEQUANTIZE", source, _tensor(shape, kind, None), at=0)
        outputs.append(_read(model, graph, index, _tensor(shape, kind, None)))
    graph.outputs, model.signatureDefs = outputs, None
    return _compat.serialise(model)


def _read(model, graph, index, of):
    """Adds what reads a tensor: twice the values of one in float, a ReLU of one in 8 bits; the index of the output."""
    if of.type == _compat.TensorType.INT8:
        return _add(model, graph, "RELU", index, of)
    return _add(model, graph, "ADD", index, of, twice=True)


def _add(model, graph, name, index, of, at=None, twice=False):
    """Adds an operation with an output like a tensor; the index of that."""
    graph.tensors.append(_tensor(of.shape, of.type, of.quantization))
    operator = tflite_file.new_operator(model, name, [index] * (1 + twice), len(graph.tensors) - 1)
    graph.operators.insert(len(graph.operators) if at is None else at, operator)
    if name == "ADD":
        operator.builtinOptionsType = _compat.BuiltinOptions.AddOptions
    return operator.outputs[0]


def _tensor(shape, kind, quantisation):
    return _compat.new(_compat.TensorT, shape=list(shape), type=kind, quantization=quantisation, name=b"added")


def _quantisation(scale):
    return _compat.new(_compat.QuantizationParametersT, scale=np.array([scale], "f"), zeroPoint=np.array([0]))


def _outputs(content, x):
    """Values of the outputs, those of the input's size apart: (flat means in the order of the file, flat others)."""
    runner = interpreter.create(content)
    runner.set_tensor(runner.get_input_details()[0]["index"], x)
    runner.invoke()
    values = [runner.get_tensor(output["index"]).ravel() for output in runner.get_output_details()]
    (small, large) = ([value for value in values if (value.size == x.size) == is_large] for is_large in (False, True))
    return np.concatenate(small), np.concatenate([*large, []])
