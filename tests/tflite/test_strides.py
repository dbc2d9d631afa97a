"""Strided depthwise convolutions in TFLite files."""

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import strides

KERNEL = np.random.default_rng(0).normal(size=(3, 3, 2, 1)).astype("f")


def test_a_depthwise_convolution_takes_the_strides_of_the_pooling_behind_it():
    pooled = _file(padding="VALID")
    strided = strides.with_native_strides(pooled)
    assert _names(pooled) == ["DEPTHWISE_CONV_2D", "MAX_POOL_2D", "MEAN"]
    assert _names(strided) == ["DEPTHWISE_CONV_2D", "MEAN"]
    x = np.random.default_rng(1).normal(size=(4, 9, 8, 2)).astype("f")
    np.testing.assert_allclose(tflite_file.TFLiteModel(strided)(x), tflite_file.TFLiteModel(pooled)(x), rtol=1e-6)


@pytest.mark.parametrize("size", [(9, 8), (8, 9), (3, 3)])
@pytest.mark.parametrize("pooling", [(2, 1), (1, 2), (2, 2), (3, 2)])
def test_padding_that_was_merged_into_the_convolution_is_an_operation_again(size, pooling):
    pooled = _file(padding="SAME", size=size, pooling=pooling)
    strided = strides.with_native_strides(pooled)
    assert _names(strided) == ["PAD", "DEPTHWISE_CONV_2D", "MEAN"]
    x = np.random.default_rng(1).normal(size=(4, *size, 2)).astype("f")
    np.testing.assert_allclose(tflite_file.TFLiteModel(strided)(x), tflite_file.TFLiteModel(pooled)(x), rtol=1e-5)


def test_a_padding_that_exists_already_is_read():
    def call(x):
        padded = tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        y = tf.nn.depthwise_conv2d(padded, KERNEL, (1, 1, 1, 1), "VALID")
        y = tf.reduce_mean(tf.nn.max_pool2d(y, 1, (2, 1), "VALID"), axis=(1, 2))
        return y + tf.reduce_mean(tf.nn.avg_pool2d(padded, 3, (2, 1), "VALID"), axis=(1, 2))

    pooled = _converted(call, (9, 8))
    strided = strides.with_native_strides(pooled)
    assert _names(strided).count("PAD") == 1 and "MAX_POOL_2D" not in _names(strided)
    x = np.random.default_rng(1).normal(size=(4, 9, 8, 2)).astype("f")
    np.testing.assert_allclose(tflite_file.TFLiteModel(strided)(x), tflite_file.TFLiteModel(pooled)(x), rtol=1e-5)


@pytest.mark.parametrize("settings", [{"padding": "SAME", "kernel": 2}, {"padding": "VALID", "window": 2}])
def test_a_one_sided_padding_and_a_pooling_of_several_values_stay(settings):
    content = _file(**settings)
    assert _names(strides.with_native_strides(content)) == _names(content)


def _names(content):
    return [operator.name for operator in tflite_file.operators(content)]


def _file(*, padding, window=1, kernel=3, size=(9, 8), pooling=(2, 1)):
    def call(x):
        y = tf.nn.depthwise_conv2d(x, KERNEL[:kernel, :kernel], (1, 1, 1, 1), padding)
        return tf.reduce_mean(tf.nn.max_pool2d(y, window, pooling, "VALID"), axis=(1, 2))

    return _converted(call, size)


def _converted(call, size):
    function = tf.function(call).get_concrete_function(tf.TensorSpec((1, *size, 2), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module()).convert()
