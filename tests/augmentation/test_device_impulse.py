import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asc_tf.augmentation import device_impulse
from asc_tf.errors import UserError

SEED = tf.constant([0, 1])


def test_convolution_by_hand_on_the_named_device_alone(tmp_path):
    soundfile.write(tmp_path / "echo.wav", np.array([0.5, 0, 0.25]), 1000, subtype="FLOAT")
    wave = tf.constant([[1.0, 0, 0, 0, 2], [1, 0, 0, 0, 2]])
    batch = {"wave": wave, "device": tf.constant(["a", "b"])}
    out = device_impulse.apply(batch, SEED, 1000, p=1.0, folder=str(tmp_path), only_device="a")["wave"]
    np.testing.assert_allclose(out, [[0.5, 0, 0.25, 0, 1.0], [1, 0, 0, 0, 2]], atol=1e-6)


@pytest.fixture
def halving(tmp_path):
    soundfile.write(tmp_path / "half.wav", np.array([0.5]), 1000, subtype="FLOAT")
    return {"p": 1.0, "folder": str(tmp_path)}


def test_a_share_of_p_is_changed(halving):
    batch = {"wave": tf.ones((4000, 2)), "device": tf.fill([4000], "a")}
    out = device_impulse.apply(batch, SEED, 1000, **halving | {"p": 0.3})["wave"]
    assert np.mean(out[:, 0] < 0.75) == pytest.approx(0.3, abs=0.03)


def test_only_clips_above_the_energy_are_changed(halving):
    # energies 4 x 0.01 = 0.04, 4 x 1 = 4 and 4 x 4 = 16, the sum of squares over the clip
    batch = {"wave": tf.constant([[0.1], [1.0], [2.0]]) * tf.ones((3, 4)), "device": tf.fill([3], "a")}
    out = device_impulse.apply(batch, SEED, 1000, **halving, min_energy=4.0)["wave"]
    np.testing.assert_allclose(out[:, 0], [0.1, 1.0, 1.0], atol=1e-6)


def test_settings_out_of_range_are_refused(halving):
    batch = {"wave": tf.ones((1, 8)), "device": tf.constant(["a"])}
    for wrong, message in (({"p": 1.5}, "p = 1.5"), ({"min_energy": -1.0}, "min_energy = -1.0 must not be negative")):
        with pytest.raises(UserError, match=message):
            device_impulse.apply(batch, SEED, 1000, **halving | wrong)
