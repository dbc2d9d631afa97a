import numpy as np
import pytest
import tensorflow as tf

from asc_tf.cost import tflite_rule
from asc_tf.cost.rows import total


@pytest.fixture(scope="module")
def content():
    """A float file: 6 x 4 x 2 clips, convolution, depthwise convolution, addition of a shortcut, dense."""
    rng = np.random.default_rng(0)
    kernel, depthwise, dense = (
        tf.constant(rng.normal(size=shape).astype("float32")) for shape in ((3, 3, 2, 2), (3, 3, 2, 1), (2, 5))
    )

    def call(x):
        y = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), tf.constant([1.0, 2.0]))
        z = tf.nn.bias_add(tf.nn.depthwise_conv2d(y, depthwise, [1, 1, 1, 1], "SAME"), tf.constant([3.0, 4.0]))
        return tf.linalg.matmul(tf.reduce_mean(y + z, axis=(1, 2)), dense) + tf.constant([5.0, 6, 7, 8, 9])

    function = tf.function(call).get_concrete_function(tf.TensorSpec((1, 6, 4, 2), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module()).convert()


def test_a_hand_sum_of_parameters_and_macs(content):
    rows = {row.kind: row[2:] for row in tflite_rule.rows(content)}
    assert rows == {
        "CONV_2D": ((6, 4, 2), 38, 38 * 24),
        "DEPTHWISE_CONV_2D": ((6, 4, 2), 20, 20 * 24),
        "FULLY_CONNECTED": ((5,), 15, 15),
    }
    assert total(tflite_rule.rows(content)) == (73, 38 * 24 + 20 * 24 + 15)


def test_the_peak_is_the_three_tensors_of_the_addition(content):
    assert tflite_rule.peak_bytes(content) == 3 * 4 * 6 * 4 * 2
