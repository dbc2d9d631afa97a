"""Rounding of weights that preserves the mean output of channels."""

import keras
import numpy as np
import pytest
import tf_keras

from asc_tf.export.quantisation import _compat, qat
from asc_tf.export.quantisation import ranges as _ranges
from asc_tf.export.quantisation import rounding as _rounding
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras


def test_the_weight_nearest_to_the_middle_is_rounded_the_other_way_by_hand():
    # Errors to the nearest -0.4, -0.3, -0.2 add up to -0.9; the first, rounded up instead, changes the sum to 0.1.
    np.testing.assert_array_equal(_rounding._rounded(np.array([1.4, 2.3, 3.2]), np.ones(3)), [2, 2, 3])
    # With an input of -1 the second's error counts the other way: -0.4 + 0.3 - 0.2 is the least already.
    np.testing.assert_array_equal(_rounding._rounded(np.array([1.4, 2.3, 3.2]), np.array([1.0, -1, 1])), [1, 2, 3])
    # The largest defines the scale and stays.
    np.testing.assert_array_equal(_rounding._rounded(np.array([127.0, 1.2]), np.ones(2)), [127, 1])


@pytest.mark.parametrize(("groups", "expected"), [(1, [1, 2, 3, 4]), (2, [[1, 2], [1, 2], [3, 4], [3, 4]])])
def test_a_weight_is_rounded_for_the_mean_of_its_input(groups, expected):
    layer = keras.layers.Conv2D(4, (1, 2), groups=groups)
    layer.build((None, 3, 3, 4))
    means = _rounding._tap_means(np.arange(1.0, 5), layer.kernel.value, 4)
    of_tap = np.broadcast_to(np.array(expected), (4, 4 // groups)).T
    np.testing.assert_array_equal(means, np.concatenate([of_tap, of_tap]))


def test_depthwise_outputs_of_one_channel_share_its_mean():
    layer = tf_keras.layers.DepthwiseConv2D((1, 2), depth_multiplier=3)
    layer.build((None, 3, 3, 2))
    means = _rounding._tap_means(np.array([5.0, 7.0]), layer.depthwise_kernel, 6)
    np.testing.assert_array_equal(means, [[5, 5, 5, 7, 7, 7]] * 2)


def test_sums_of_a_kernel_are_closer_than_with_rounding_to_nearest(small, clips):
    exact = small().get_layer("stem").get_weights()[0].reshape(9, 8)
    quantised = qat.quantise(to_tf_keras(small()), clips[0] + 3)
    (entry,) = [entry for entry in _ranges.kernel_ranges(quantised) if entry.layer.name == "quant_stem"]
    step = entry.high.numpy() / 127
    rounded, nearest = _compat.kernel(entry.layer).numpy().reshape(9, 8), np.round(exact / step) * step
    np.testing.assert_allclose(rounded / step, np.round(rounded / step), atol=1e-4)
    assert np.abs((rounded - exact) / step).max() < 1
    shifts = [np.abs((value - exact).sum(axis=0) / step) for value in (rounded, nearest)]
    assert shifts[0].max() <= 0.5 < shifts[1].max()
