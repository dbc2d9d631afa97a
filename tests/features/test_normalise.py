import keras
import numpy as np
import pytest

from asc_tf.features import _normalise


def test_moments_in_parts_are_those_of_the_whole():
    """Chan's formula on parts of unequal size, far from 0, where a sum of squares would lose all digits."""
    x = (1e4 + np.random.default_rng(0).standard_normal((37, 5, 11, 2))).astype("f")
    whole = x.astype(float)
    found = _normalise.moments(iter([x[:1], x[1:20], x[20:]]))
    assert found["mean"].shape == found["std"].shape == (5, 1, 2) and found["mean"].dtype == np.float64
    np.testing.assert_allclose(found["mean"][:, 0], whole.mean((0, 2)), rtol=1e-14)
    np.testing.assert_allclose(found["std"][:, 0], whole.std((0, 2)), rtol=1e-10)


def test_a_band_that_never_moves_becomes_0():
    x = np.full((100, 1, 7, 1), np.log(1e-5), "f")
    found = _normalise.moments([x[:33], x[33:]])
    assert found["std"] == 1
    np.testing.assert_allclose(_normalise.Normalise(**found)(x), 0, atol=1e-6)


@pytest.mark.parametrize("numbers", [(-4.5, 5.0), (np.arange(3.0)[:, None, None], np.full((3, 1, 1), 2.0))])
def test_stands_in_a_model_that_is_saved(numbers, tmp_path):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 1)).astype("f")
    inputs = keras.Input((3, 4, 1))
    keras.Model(inputs, _normalise.Normalise(*numbers)(inputs)).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), (x - numbers[0]) / numbers[1], atol=1e-6)
