"""What networks of others are given, by hand and as measured with their files."""

import numpy as np
import pytest
import rival_networks


def test_acdnet_is_given_evenly_spaced_crops_of_the_padded_wave():
    # Padded: 0 0 1 ... 20 0 0, 24 samples; stride (24 - 4) // 2.
    crops = rival_networks.acdnet_crops(np.arange(1.0, 21.0), length=4, count=3)
    np.testing.assert_array_equal(crops, [[0, 0, 1, 2], [9, 10, 11, 12], [19, 20, 0, 0]])


def test_acdnet_wave_is_of_16_bits_without_the_zeros_at_its_ends():
    samples = np.array([0, 1e-6, 0.5, 0, -0.25 + 1e-6, 1e-5, 0])
    np.testing.assert_array_equal(rival_networks.acdnet_wave(samples, 20_000), [0.5, 0, -0.25])


def test_acdnet_wave_of_silence_stays():
    assert len(rival_networks.acdnet_wave(np.zeros(7), 20_000)) == 7


def test_seconds_have_the_sound_around_them():
    seconds = rival_networks.centred_seconds(np.arange(1, 9), 4, 6)
    np.testing.assert_array_equal(seconds, [[0, 1, 2, 3, 4, 5], [4, 5, 6, 7, 8, 0]])


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(5, [[0, 1, 2, 3, 4, 5]]), (6, [[0, 1, 2, 3, 4, 5], [4, 5, 6, 0, 0, 0]]), (3, [[0, 1, 2, 3, 0, 0]])],
)
def test_a_rest_of_half_a_second_is_a_second(samples, expected):
    np.testing.assert_array_equal(rival_networks.centred_seconds(np.arange(1, samples + 1), 4, 6), expected)


def test_a_frame_of_the_baselines_input_is_that_of_its_formula():
    wave = 0.1 * np.random.default_rng(0).standard_normal(44_100)
    frame, sample = 25, np.arange(1764)
    window = 0.54 - 0.46 * np.cos(2 * np.pi * sample / 1764)
    windowed = wave[882 * frame - 882 : 882 * frame + 882] * window
    hz = np.arange(1025) * 44_100 / 2048
    magnitudes = np.abs([np.sum(windowed * np.exp(-2j * np.pi * f / 44_100 * sample)) for f in hz])
    # The lowest triangles of Slaney's scale are linear in Hz: 40 bands to 22,050 Hz, whose mel is 61.9.
    top_mel = 15 + np.log(22_050 / 1000) / (np.log(6.4) / 27)
    step_hz = top_mel / 41 * 200 / 3
    corners = step_hz * np.arange(3)
    triangle = np.maximum(0, np.minimum(hz / step_hz, (corners[2] - hz) / step_hz)) * 2 / corners[2]
    inputs = rival_networks.baseline_input(wave[np.newaxis])
    assert inputs.shape == (1, 40, 51, 1)
    assert np.abs(inputs).max() == 1
    # All values of a second have one factor: that of the largest, here of a band without much sound.
    second = np.maximum(0, np.minimum((hz - step_hz) / step_hz, (3 * step_hz - hz) / step_hz)) / step_hz
    ratio = np.log(magnitudes @ triangle) / np.log(magnitudes @ second)
    assert inputs[0, 0, frame, 0] / inputs[0, 1, frame, 0] == pytest.approx(ratio, abs=2e-3)


def test_triangles_of_htk_have_equal_area():
    bank = rival_networks.htk_bank_of_equal_area(64, 65_536, 22_050)
    np.testing.assert_allclose(bank.sum(axis=0) * 22_050 / 65_536, 1, rtol=2e-3)
    peaks_hz = bank.argmax(axis=0) * 22_050 / 65_536
    mel = 2595 * np.log10(1 + peaks_hz / 700)
    np.testing.assert_allclose(np.diff(mel), 2595 * np.log10(1 + 11_025 / 700) / 65, rtol=0.02)


def test_classes_of_sb_cnn_are_put_in_the_order_of_the_scenes():
    assert sorted(rival_networks.SbCnn.CLASSES) == list(rival_networks.SCENES)
    network = rival_networks.SbCnn.__new__(rival_networks.SbCnn)
    network.range_db = (-100.0, 20.0)
    network.spectrograms = lambda samples, rate_hz: np.zeros((10, 64, 64))
    network.network = _Identity()
    probabilities = network.predict(np.zeros((1, 1)), 22_050)
    for second, scene in enumerate(network.CLASSES):
        assert rival_networks.SCENES[probabilities[second].argmax()] == scene


class _Identity:
    """A network that says the first class of the first input, the second of the second and so on."""

    def predict(self, inputs, verbose):
        # -100 dB and 20 dB become -1 and 1: 0 dB is 2/3.
        np.testing.assert_allclose(inputs, 2 / 3)
        return np.eye(len(inputs))


def test_windows_of_sb_cnn_are_as_many_as_seconds():
    network = rival_networks.SbCnn.__new__(rival_networks.SbCnn)
    for seconds in (2, 10, 30, 45):
        noise = np.random.default_rng(0).standard_normal((22_050 * seconds, 2))
        windows = network.spectrograms(noise, 22_050)
        assert windows.shape == (seconds, 64, 64)
        # The second half of a window is the first of the next one.
        np.testing.assert_array_equal(windows[0, 32:], windows[1, :32])


@pytest.mark.slow
def test_the_baseline_of_2022_has_as_many_seconds_right_as_measured(shared):
    import soundfile

    network = rival_networks.Dcase2022Baseline(shared / "checkpoints/rivals/dcase2022_baseline_int8.tflite")
    right = {}
    for scene in ("airport", "metro", "park", "shopping_mall", "street_traffic"):
        samples, rate_hz = soundfile.read(shared / f"data/tut2018/{scene}.wav", always_2d=True)
        said = network.predict(samples, rate_hz).argmax(axis=1)
        right[scene] = int(np.sum(said == rival_networks.SCENES.index(scene)))
    assert right == {"airport": 6, "metro": 10, "park": 10, "shopping_mall": 6, "street_traffic": 0}
