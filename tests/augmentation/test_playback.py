import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asc_tf.augmentation import playback
from asc_tf.errors import UserError

RATE, SEED = 8000, tf.constant([0, 1])
SETTINGS = {
    "p": 1.0, "low_hz": [200.0, 200.0], "high_hz": [2000.0, 2000.0], "drive_db": [-40.0, -40.0], "rt60_s": [0.2, 0.2],
    "direct_db": [60.0, 60.0], "snr_db": [80.0, 80.0],
}  # fmt: skip


def noise(clips=2, rms=0.1):
    return tf.constant(np.random.default_rng(0).standard_normal((clips, RATE)) * rms, tf.float32)


def tone(hz):
    return tf.constant(np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)[None], tf.float32)


@pytest.mark.parametrize(("hz", "expected_db"), [(200, -3.01), (2000, -3.01), (632, -0.1), (50, -24.1)])
def test_the_loudspeaker_falls_by_3_db_at_its_limits_and_12_an_octave(hz, expected_db):
    out = playback.loudspeaker(tone(hz), RATE, tf.constant([[200.0]]), tf.constant([[2000.0]]))
    middle = slice(RATE // 4, -RATE // 4)  # away from where the tone starts and stops
    level_db = 20 * np.log10(np.std(out[0, middle]) / np.std(tone(hz)[0, middle]))
    assert level_db == pytest.approx(expected_db, abs=0.15)


def test_clipping_is_soft_and_follows_the_drive():
    wave = noise(1)
    np.testing.assert_allclose(playback.soft_clipped(wave, -60.0), wave, atol=1e-5)
    hard = playback.soft_clipped(wave, 0.0)
    assert np.abs(hard).max() <= float(playback.rms(wave)[0, 0])
    np.testing.assert_allclose(hard, 0.1 * np.tanh(wave / 0.1), rtol=0.02, atol=1e-3)


def test_the_room_falls_by_60_db_in_its_time_and_has_its_energy():
    rt60_s, direct_db = tf.fill([200, 1], 0.5), tf.fill([200, 1], 6.0)
    response = playback.room(SEED, RATE, RATE, rt60_s, direct_db).numpy()
    np.testing.assert_array_equal(response[:, 0], 1)
    np.testing.assert_allclose((response[:, 1:] ** 2).sum(1), 10**-0.6, rtol=1e-4)
    early, late = ((response[:, start : start + 200] ** 2).mean() for start in (1, 1 + RATE // 4))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=0.5)  # a quarter of a second of 0.5 s


def test_convolution_with_the_room_equals_numpy():
    wave, responses = np.random.default_rng(1).standard_normal((2, 3, 50)).astype("f")
    ours = playback.convolve(tf.constant(wave), tf.constant(responses))
    for clip in range(3):
        np.testing.assert_allclose(ours[clip], np.convolve(wave[clip], responses[clip])[:50], atol=1e-4)


def applied(wave, **settings):
    return playback.apply({"wave": wave}, SEED, RATE, **SETTINGS | settings)["wave"]


def test_the_rms_of_a_clip_and_silence_stay():
    wave = tf.concat([noise(2), tf.zeros((1, RATE))], 0)
    out = applied(wave, drive_db=[0.0, 6.0], direct_db=[-6.0, 0.0], snr_db=[10.0, 20.0])
    np.testing.assert_allclose(playback.rms(out), playback.rms(wave), rtol=1e-4)
    assert not out[2].numpy().any() and np.abs(out[0] - wave[0]).max() > 0.05


def test_noise_has_the_given_snr():
    loud, still = applied(noise(), snr_db=[6.0, 6.0]), applied(noise())
    beyond = np.fft.rfftfreq(RATE, 1 / RATE) > 3800  # where the loudspeaker gives next to nothing
    power = [np.mean(np.abs(np.fft.rfft(x)[:, beyond]) ** 2) / RATE for x in (loud, still)]
    share = 1 / (1 + 10**0.6)  # of the noise in the RMS, spread over all frequencies
    assert power[0] == pytest.approx(0.01 * share + power[1] * (1 - share), rel=0.1)


def test_a_response_of_the_folder_is_applied(tmp_path):
    soundfile.write(tmp_path / "late.wav", np.eye(1, 100, 99)[0], RATE, subtype="FLOAT")  # a delay of 99 samples
    quiet = {"direct_db": [90.0, 90.0], "snr_db": [120.0, 120.0], "drive_db": [-60.0, -60.0]}
    without, late = applied(noise(), **quiet), applied(noise(), **quiet, folder=str(tmp_path))
    assert np.corrcoef(late[0, 99:], without[0, :-99])[0, 1] > 0.9999


def test_settings_out_of_range_are_refused():
    for wrong, message in (
        ({"rt60_s": [0.0, 0.3]}, r"rt60_s = \[0.0, 0.3\] must be \[low, high\], none below 0.001"),
        ({"snr_db": [20.0]}, r"snr_db = \[20.0\] must be \[low, high\]"),
        ({"p": -1.0}, "p = -1.0"),
    ):
        with pytest.raises(UserError, match=message):
            applied(noise(), **wrong)
