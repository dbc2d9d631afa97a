import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import gain
from asc_tf.errors import UserError


def gains_db(**settings):
    batch = {"wave": tf.fill([20000, 1], 0.01)}
    return 20 * np.log10(
        np.ravel(gain.apply(batch, tf.constant([0, 1]), 32000, max_db=12.0, **settings)["wave"]) / 0.01
    )


def test_gains_are_uniform():
    gains = gains_db()
    assert gains.min() > -12.01 and gains.max() < 12.01
    assert gains.mean() == pytest.approx(0, abs=0.2) and gains.std() == pytest.approx(24 / 12**0.5, rel=0.02)


def test_mean_db_shifts_the_gains():
    np.testing.assert_allclose(gains_db(mean_db=-24.0), gains_db() - 24, atol=1e-3)


def test_whole_decibels_leave_out_the_highest():
    values, counts = np.unique(np.round(gains_db(whole_db=True), 3), return_counts=True)
    np.testing.assert_array_equal(values, np.arange(-12, 12))
    np.testing.assert_allclose(counts / 20000, 1 / 24, atol=0.006)


def test_a_share_of_p_is_changed():
    assert np.mean(np.abs(gains_db(p=0.3)) > 1e-3) == pytest.approx(0.3, abs=0.02)


def test_a_negative_range_is_refused():
    with pytest.raises(UserError, match="max_db = -1"):
        gain.apply({"wave": tf.ones((1, 8))}, tf.constant([0, 1]), 32000, max_db=-1.0)
