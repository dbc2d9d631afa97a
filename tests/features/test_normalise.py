import keras
import numpy as np
import pytest

from asc_tf.features import _normalise


def test_moments_of_parts_equal_those_of_the_whole():
    """Chan's formula on parts of unequal size, far from 0, where a sum of squares would lose all digits."""
    x = (1e4 + np.random.default_rng(0).standard_normal((37, 5, 11, 2))).astype("f")
    whole = x.astype(float)
    measured = _normalise.moments(iter([x[:1], x[1:20], x[20:]]))
    assert measured["mean"].shape == measured["std"].shape == (5, 1, 2) and measured["mean"].dtype == np.float64
    np.testing.assert_allclose(measured["mean"][:, 0], whole.mean((0, 2)), rtol=1e-14)
    np.testing.assert_allclose(measured["std"][:, 0], whole.std((0, 2)), rtol=1e-10)


def test_a_constant_band_becomes_0():
    x = np.full((100, 1, 7, 1), np.log(1e-5), "f")
    measured = _normalise.moments([x[:33], x[33:]])
    assert measured["std"] == 1
    np.testing.assert_allclose(_normalise.Normalisation(**measured)(x), 0, atol=1e-6)


@pytest.mark.parametrize("numbers", [(-4.5, 5.0), (np.arange(3.0)[:, None, None], np.full((3, 1, 1), 2.0))])
def test_saves_and_loads_in_a_model(numbers, tmp_path):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 1)).astype("f")
    inputs = keras.Input((3, 4, 1))
    keras.Model(inputs, _normalise.Normalisation(*numbers)(inputs)).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), (x - numbers[0]) / numbers[1], atol=1e-6)
