"""Impulse responses of devices, read and made up, and the convolution with them."""

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import _impulse
from asc_tf.errors import UserError


@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
def test_equals_the_original(shared, excerpt):
    golden = np.load(shared / "golden/math_dir.npz")
    ours = _impulse.convolve(golden[f"{excerpt}/x"][None], tf.constant([0]), golden["ir_32000"][None])
    np.testing.assert_allclose(ours[0], golden[f"{excerpt}/y_f64"], atol=1e-6)


def test_responses_equal_those_that_the_original_reads(shared):
    golden = np.load(shared / "golden/math_dir.npz")
    files = sorted(file.name for file in (shared / "data/micirp").iterdir())
    waves = _impulse.responses("device_impulse", str(shared / "data/micirp"), 32000)
    ours = waves[files.index(str(golden["ir_file"]))]
    np.testing.assert_allclose(ours[: len(golden["ir_32000"])], golden["ir_32000"], atol=1e-6)
    assert len(waves) == 50 and not ours[len(golden["ir_32000"]) :].any()


def test_a_response_longer_than_the_clip_is_cut_with_it():
    wave, response = np.random.default_rng(0).standard_normal((2, 40)).astype("f")
    ours = _impulse.convolve(wave[None, :15], tf.constant([0]), response[None])
    np.testing.assert_allclose(ours[0], np.convolve(wave[:15], response)[:15], atol=1e-5)


@pytest.mark.parametrize("sample_rate_hz", [8000, 32_000, 44_100])
def test_the_built_in_microphones_differ_and_do_not_amplify(sample_rate_hz):
    responses = _impulse.responses("device_impulse", "built_in", sample_rate_hz)
    assert len(responses) == 24 and responses.dtype == np.float32
    gains_db = 20 * np.log10(np.abs(np.fft.rfft(responses, 4 * sample_rate_hz)) + 1e-9)
    hz = np.fft.rfftfreq(4 * sample_rate_hz, 1 / sample_rate_hz)
    inside = gains_db[:, (hz > 20) & (hz < 0.45 * sample_rate_hz)]
    assert inside.max() < 0.5
    differences = [np.abs(one - other).mean() for index, one in enumerate(inside) for other in inside[:index]]
    assert min(differences) > 0.5  # dB


def test_the_built_in_microphones_need_no_file_and_stay_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = _impulse.responses("playback", "built_in", 16_000)
    _impulse.responses.cache_clear()
    np.testing.assert_array_equal(_impulse.responses("device_impulse", "built_in", 16_000), first)


def test_missing_empty_and_broken_folders_are_refused(tmp_path):
    for folder, message in ((tmp_path / "none", "no such folder"), (tmp_path, "holds no audio file")):
        with pytest.raises(UserError, match=f"augmentation/playback: .*{message}"):
            _impulse.responses("playback", str(folder), 1000)
    (tmp_path / "noise.wav").write_bytes(b"not audio")
    with pytest.raises(UserError, match="noise.wav: cannot be read"):
        _impulse.responses("playback", str(tmp_path), 1000)
