"""Do channels keep their means when weights are rounded?"""

import keras
import numpy as np
import pytest

from export.quantisation import qat
from export.quantisation import ranges as _ranges
from export.quantisation import rounding as _rounding
from export.quantisation.to_tf_keras import to_tf_keras


def test_the_weight_nearest_to_the_middle_is_rounded_the_other_way_by_hand():
    # Errors to the nearest -0.4, -0.3, -0.2 add up to -0.9: the first, turned, makes them 0.1.
    np.testing.assert_array_equal(_rounding._turned(np.array([1.4, 2.3, 3.2]), np.ones(3)), [2, 2, 3])
    # Seen by inputs of -1 the second's error counts the other way: -0.4 + 0.3 - 0.2 is the least already.
    np.testing.assert_array_equal(_rounding._turned(np.array([1.4, 2.3, 3.2]), np.array([1.0, -1, 1])), [1, 2, 3])
    # The largest makes the scale and stays.
    np.testing.assert_array_equal(_rounding._turned(np.array([127.0, 1.2]), np.ones(2)), [127, 1])


@pytest.mark.parametrize(("groups", "expected"), [(1, [1, 2, 3, 4]), (2, [[1, 2], [1, 2], [3, 4], [3, 4]])])
def test_a_weight_is_turned_for_the_mean_of_its_own_input(groups, expected):
    layer = keras.layers.Conv2D(4, (1, 2), groups=groups)
    layer.build((None, 3, 3, 4))
    found = _rounding._tap_means(np.arange(1.0, 5), layer.kernel.value, 4)
    wanted = np.broadcast_to(np.array(expected), (4, 4 // groups)).T
    np.testing.assert_array_equal(found, np.concatenate([wanted, wanted]))


def test_sums_of_a_kernel_are_nearer_than_those_of_the_nearest_steps(small, clips):
    exact = small().get_layer("stem").get_weights()[0].reshape(9, 8)
    quantised = qat.quantise(to_tf_keras(small()), clips[0] + 3)
    ((_, kernel, _, high),) = [entry for entry in _ranges.quantised_kernels(quantised) if entry[0].name == "quant_stem"]
    step = high.numpy() / 127
    kept, nearest = kernel.numpy().reshape(9, 8), np.round(exact / step) * step
    np.testing.assert_allclose(kept / step, np.round(kept / step), atol=1e-4)
    assert np.abs((kept - exact) / step).max() < 1
    shifts = [np.abs((value - exact).sum(axis=0) / step) for value in (kept, nearest)]
    assert shifts[0].max() <= 0.5 < shifts[1].max()
