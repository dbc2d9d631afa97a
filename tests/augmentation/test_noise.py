import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import noise
from asc_tf.errors import UserError

SEED = tf.constant([0, 1])


def added(**settings):
    """(clips, samples) of what is added to 400 clips of a constant."""
    batch = {"wave": tf.fill([400, 2000], 0.25)}
    return noise.apply(batch, SEED, 32000, **settings)["wave"].numpy() - 0.25


def test_levels_are_uniform_in_decibels_and_samples_independent():
    noises = added(min_dbfs=-60.0, max_dbfs=-40.0).astype("float64")
    level = 20 * np.log10(noises.std(axis=1))
    assert -60.5 < level.min() < -59 and -41 < level.max() < -39.5
    assert level.mean() == pytest.approx(-50, abs=1) and level.std() == pytest.approx(20 / 12**0.5, rel=0.1)
    unit = noises / noises.std(axis=1, keepdims=True)
    assert abs(np.mean(unit[:, 1:] * unit[:, :-1])) < 0.005 and abs(np.mean(unit[1:] * unit[:-1])) < 0.005
    assert np.mean(unit**4) == pytest.approx(3, rel=0.03)  # as a Gaussian's


def test_a_share_of_p_is_changed():
    assert np.mean(added(min_dbfs=-50.0, max_dbfs=-50.0, p=0.3).any(axis=1)) == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("levels", [(-40.0, -60.0), (-10.0, 3.0)])
def test_levels_out_of_order_or_beyond_full_scale_are_refused(levels):
    with pytest.raises(UserError, match="must rise, to 0 at most"):
        noise.apply({"wave": tf.ones((1, 8))}, SEED, 32000, min_dbfs=levels[0], max_dbfs=levels[1])
