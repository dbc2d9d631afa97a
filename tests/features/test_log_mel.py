import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _mel, log_mel

BASELINE = {
    "sample_rate_hz": 32000, "window_samples": 3072, "hop_samples": 500, "fft_samples": 4096,
    "bands": 256, "min_hz": 0.0, "max_hz": 16000.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def layer():
    return log_mel.build(**BASELINE)


@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
def test_equals_the_2024_baseline(layer, shared, excerpt):
    wave = np.load(shared / "golden/feat_waves.npz")[f"{excerpt}/wave_32000"]
    golden = np.load(shared / "golden/feat_logmel.npz")
    reference, exact = golden[f"{excerpt}/b_baseline24"], golden[f"{excerpt}/b_baseline24_f64"]
    ours = layer(wave[None])[0, ..., 0].numpy()
    loud = reference > reference.max() - 8 * np.log(10)  # within 80 dB of the maximum
    np.testing.assert_allclose(ours[loud], reference[loud], atol=1e-3 * np.log(10) / 10)  # 1e-3 dB
    np.testing.assert_allclose(ours, exact, atol=3e-3)  # torchaudio's own float32 noise in empty bands: 1.7e-3


def test_bank_equals_torchaudio(shared):
    golden = np.load(shared / "golden/feat_filterbanks.npz")["b_baseline24_256_bank"]
    np.testing.assert_allclose(_mel.htk_bank(256, 4096, 32000, 0.0, 16000.0).T, golden, atol=1e-5)


def test_a_tone_lands_in_its_band(layer):
    tone = np.sin(2 * np.pi * 1000 * np.arange(32000) / 32000).astype("float32")
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 16000 / 700), 258) / 2595) - 1)
    assert edges[np.argmax(layer(tone[None])[0, :, 32, 0]) + 1] == pytest.approx(1000, rel=0.02)


def test_an_impulse_lands_in_its_frame(layer):
    wave = np.zeros((1, 32000), "float32")
    wave[0, 16000] = 1.0
    assert np.argmax(layer(wave)[0, 128, :, 0]) == 16000 // 500


def test_silence_gives_the_floor(layer):
    mel = layer(np.zeros((2, 32000), "float32"))
    assert mel.shape == (2, 256, 65, 1)
    np.testing.assert_allclose(mel, np.log(1e-5), atol=1e-5)
    assert layer.silence == pytest.approx(np.log(1e-5), abs=1e-5)


def test_a_clip_does_not_depend_on_its_neighbours(layer):
    rng = np.random.default_rng(0)
    quiet, loud = 1e-3 * rng.standard_normal((1, 32000)).astype("f"), rng.standard_normal((1, 32000)).astype("f")
    together = layer(np.concatenate([quiet, loud]))[0]
    np.testing.assert_allclose(together, layer(quiet)[0], atol=1e-5)


def test_runs_in_a_dataset_and_in_a_model(layer):
    waves = np.random.default_rng(0).standard_normal((3, 32000)).astype("f")
    direct = layer(waves).numpy()
    dataset = tf.data.Dataset.from_tensor_slices(waves).batch(3).map(layer)
    np.testing.assert_allclose(next(iter(dataset)), direct, atol=1e-5)
    inputs = keras.Input((32000,))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 256, 65, 1)
    np.testing.assert_allclose(model(waves), direct, atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"window_samples": 5000}, {"max_hz": 17000.0}, {"min_hz": 16000.0}, {"hop_samples": 0}, {"floor": 0.0}]
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(UserError, match="features/log_mel"):
        log_mel.build(**(BASELINE | wrong))
