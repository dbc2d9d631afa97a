"""The private parts of TensorFlow Lite exist and work as asc_tf.tflite._compat uses them."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.tflite import interpreter

SCHEMA = "tensorflow.lite.python.schema_py_generated"
OBJECTS = ("ModelT", "SubGraphT", "OperatorT", "OperatorCodeT", "TensorT", "SignatureDefT", "TensorMapT")
PARTS = [
    *((SCHEMA, name) for name in ("Model", "BuiltinOperator", "Padding", "TensorType", *OBJECTS)),
    ("tensorflow.lite.tools.flatbuffer_utils", "convert_object_to_bytearray"),
    ("tensorflow.lite.python.convert_phase", "ConverterError"),
]


@pytest.fixture(scope="module")
def compat():
    """The module, imported late so that the first test can name what is missing."""
    return importlib.import_module("asc_tf.tflite._compat")


@pytest.mark.parametrize(("module", "name"), PARTS)
def test_the_private_part_exists(module, name):
    part = f"{module}.{name} (private) is gone from TensorFlow {tf.__version__}: see asc_tf/tflite/_compat.py"
    try:
        found = hasattr(importlib.import_module(module), name)
    except ImportError:
        found = False
    assert found, part


def test_a_parsed_and_serialised_file_computes_the_same(compat):
    content = _converter(lambda x: 2.0 * x + 1.0).convert()
    copy = compat.serialise(compat.parse(content))
    runner = interpreter.create(copy)
    runner.set_tensor(runner.get_input_details()[0]["index"], np.array([1.0, -3.0], "f"))
    runner.invoke()
    np.testing.assert_array_equal(runner.get_tensor(runner.get_output_details()[0]["index"]), [3.0, -5.0])


def test_new_sets_the_fields_that_are_given_and_leaves_the_others(compat):
    tensor = compat.new(compat.TensorT, shape=[1, 2], name="x")
    assert (tensor.shape, tensor.name, tensor.buffer) == ([1, 2], "x", 0)


def test_names_are_those_of_the_schema(compat):
    # Values of schema.fbs, which never change: they are stored in files.
    assert compat.names(compat.BuiltinOperator)[3] == "CONV_2D"
    assert compat.names(compat.TensorType)[9] == "INT8"


def test_an_operation_that_tflite_lacks_raises_converter_error(compat):
    with pytest.raises(compat.ConverterError, match="Digamma"):
        _converter(tf.math.digamma).convert()


def _converter(call):
    function = tf.function(call).get_concrete_function(tf.TensorSpec((2,), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
