import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asc_tf.augmentation import device_impulse
from asc_tf.errors import UserError


@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
def test_equals_the_original(shared, excerpt):
    golden = np.load(shared / "golden/math_dir.npz")
    ours = device_impulse.convolve(golden[f"{excerpt}/x"][None], tf.constant([0]), golden["ir_32000"][None])
    np.testing.assert_allclose(ours[0], golden[f"{excerpt}/y_f64"], atol=1e-6)


def test_responses_are_read_as_the_original_reads_them(shared):
    golden = np.load(shared / "golden/math_dir.npz")
    files = sorted(file.name for file in (shared / "data/micirp").iterdir())
    waves = device_impulse.responses(str(shared / "data/micirp"), 32000)
    ours = waves[files.index(str(golden["ir_file"]))]
    np.testing.assert_allclose(ours[: len(golden["ir_32000"])], golden["ir_32000"], atol=1e-6)
    assert len(waves) == 50 and not ours[len(golden["ir_32000"]) :].any()


def test_by_hand_and_only_on_the_named_device(tmp_path):
    soundfile.write(tmp_path / "echo.wav", np.array([0.5, 0, 0.25]), 1000, subtype="FLOAT")
    wave = tf.constant([[1.0, 0, 0, 0, 2], [1, 0, 0, 0, 2]])
    batch = {"wave": wave, "device": tf.constant(["a", "b"])}
    out = device_impulse.apply(batch, tf.constant([0, 1]), 1000, p=1.0, folder=str(tmp_path), only_device="a")["wave"]
    np.testing.assert_allclose(out, [[0.5, 0, 0.25, 0, 1.0], [1, 0, 0, 0, 2]], atol=1e-6)


def test_a_share_of_p_is_changed(tmp_path):
    soundfile.write(tmp_path / "half.wav", np.array([0.5]), 1000, subtype="FLOAT")
    batch = {"wave": tf.ones((4000, 2)), "device": tf.fill([4000], "a")}
    out = device_impulse.apply(batch, tf.constant([0, 1]), 1000, p=0.3, folder=str(tmp_path))["wave"]
    assert np.mean(out[:, 0] < 0.75) == pytest.approx(0.3, abs=0.03)


def test_missing_or_empty_folder_is_named(tmp_path):
    batch = {"wave": tf.ones((1, 8)), "device": tf.constant(["a"])}
    for folder, message in ((tmp_path / "none", "no such folder"), (tmp_path, "holds no audio file")):
        with pytest.raises(UserError, match=message):
            device_impulse.apply(batch, tf.constant([0, 1]), 1000, p=1.0, folder=str(folder))
    (tmp_path / "noise.wav").write_bytes(b"not audio")
    with pytest.raises(UserError, match="noise.wav: cannot be read"):
        device_impulse.apply(batch, tf.constant([0, 1]), 1000, p=1.0, folder=str(tmp_path))
