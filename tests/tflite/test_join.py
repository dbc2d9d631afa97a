"""Joining of two TFLite files."""

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import interpreter, join


@pytest.fixture(scope="module")
def first():
    """Bytes of a float file that doubles (1, 8) values."""
    return _converter(lambda x: 2.0 * x).convert()


def test_float_files_run_one_after_the_other_by_hand(first):
    content = join.join(first, _converter(lambda x: tf.nn.relu(x) + 0.5).convert(), input_name="a", output_name="b")
    inputs = np.array([-2.0, -1, 0, 1, 2, 3, 4, 5], "f")
    np.testing.assert_array_equal(_signature(content)(a=inputs[np.newaxis])["b"][0], 2 * np.maximum(inputs, 0) + 0.5)


def test_a_second_file_in_int8_has_the_outputs_that_it_has_alone(first):
    second = _int8_file()
    content = join.join(first, second, input_name="wave", output_name="logits")
    names = [operator.name for operator in tflite_file.operators(content)]
    assert names == ["MUL", "QUANTIZE", "FULLY_CONNECTED", "DEQUANTIZE"]
    inputs = np.random.default_rng(1).uniform(-0.5, 0.5, (16, 8)).astype("f")
    outputs = np.concatenate([_signature(content)(wave=row[np.newaxis])["logits"] for row in inputs])
    np.testing.assert_array_equal(outputs, tflite_file.TFLiteModel(second)(2 * inputs))


def _signature(content):
    return interpreter.create(content).get_signature_runner("serving_default")


def _int8_file():
    rng = np.random.default_rng(0)
    kernel = tf.constant(rng.normal(size=(8, 3)).astype("f"))
    converter = _converter(lambda x: tf.matmul(x, kernel))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.uniform(-1, 1, (1, 8)).astype("f")] for _ in range(32))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def _converter(call):
    function = tf.function(call).get_concrete_function(tf.TensorSpec((1, 8), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
