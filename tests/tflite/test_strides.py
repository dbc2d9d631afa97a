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


@pytest.mark.parametrize("settings", [{"padding": "SAME"}, {"padding": "VALID", "window": 2}])
def test_a_convolution_with_padding_and_a_pooling_of_several_values_stay(settings):
    content = _file(**settings)
    assert _names(strides.with_native_strides(content)) == _names(content)


def _names(content):
    return [operator.name for operator in tflite_file.operators(content)]


def _file(*, padding, window=1):
    def call(x):
        y = tf.nn.depthwise_conv2d(x, KERNEL, (1, 1, 1, 1), padding)
        return tf.reduce_mean(tf.nn.max_pool2d(y, window, (2, 1), "VALID"), axis=(1, 2))

    function = tf.function(call).get_concrete_function(tf.TensorSpec((1, 9, 8, 2), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module()).convert()
