import typing

import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _flavours, log_mel

DB = 10 / np.log(10)  # dB of a natural logarithm of energy
BASELINE = {
    "flavour": "htk", "sample_rate_hz": 32000, "window_samples": 3072, "hop_samples": 500, "fft_samples": 4096,
    "bands": 256, "min_hz": 0.0, "max_hz": 16000.0,
}  # fmt: skip
CP_JKU = BASELINE | {"flavour": "kaldi", "max_hz": 15500.0}
PASST = CP_JKU | {"window_samples": 800, "hop_samples": 320, "fft_samples": 1024, "bands": 128}
LIBROSA = BASELINE | {
    "flavour": "slaney", "sample_rate_hz": 44100, "window_samples": 2048, "hop_samples": 326, "bands": 128,
    "max_hz": 22050.0,
}  # fmt: skip
AST = {
    "flavour": "ast", "sample_rate_hz": 16000, "window_samples": 400, "hop_samples": 160, "fft_samples": 512,
    "bands": 128, "min_hz": 20.0, "max_hz": 8000.0,
}  # fmt: skip
HTSAT = BASELINE | {
    "flavour": "htsat", "window_samples": 1024, "hop_samples": 320, "fft_samples": 1024, "bands": 64,
    "min_hz": 50.0, "max_hz": 14000.0,
}  # fmt: skip
YAMNET = AST | {"flavour": "yamnet", "bands": 64, "min_hz": 125.0, "max_hz": 7500.0}
EACH = {"htk": BASELINE, "slaney": LIBROSA, "kaldi": PASST, "ast": AST, "htsat": HTSAT, "yamnet": YAMNET}
# name in the golden: (file, settings, mean and std of its normalisation, dB of its unit)
GOLDENS = {
    "b_baseline24": ("feat_logmel", BASELINE, 0.0, 1.0, DB),
    "a_cpjku23_hop500": ("feat_logmel", CP_JKU, -4.5, 5.0, DB),
    "a_cpjku23_hop750": ("feat_logmel", CP_JKU | {"hop_samples": 750}, -4.5, 5.0, DB),
    "c_efficientat_fmax15000": ("feat_logmel", PASST | {"max_hz": 15000.0}, -4.5, 5.0, DB),
    "c_passt_fmax15500": ("feat_logmel", PASST, -4.5, 5.0, DB),
    "d_ast_fbank": ("feat_logmel", AST, 0.0, 1.0, DB),
    "e_htsat_logmel": ("feat_logmel", HTSAT, 0.0, 1.0, 1.0),
    "f_mel_db": ("feat_librosa", LIBROSA | {"top_db": 80.0}, 0.0, 1.0, 1.0),
}


@pytest.mark.parametrize("name", GOLDENS)
@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
def test_equals_the_original(name, excerpt, shared):
    """Within 1e-3 dB of the original in float64, and of its float32 form beyond the error of that form (1.3e-3)."""
    file, settings, mean, std, decibels = GOLDENS[name]
    golden = np.load(shared / f"golden/{file}.npz")
    wave = np.load(shared / "golden/feat_waves.npz")[f"{excerpt}/wave_{settings['sample_rate_hz']}"]
    original, exact = (
        (golden[f"{excerpt}/{name}{form}"].astype(float) * std + mean) * decibels for form in ("", "_f64")
    )
    ours = log_mel.build(**settings)(wave[None])[0, ..., 0].numpy() * decibels
    if name.startswith(("d_", "e_")):  # in those originals time is the first axis
        original, exact = original.T, exact.T
    assert ours.shape == original.shape
    loud = original > original.max() - 80
    assert np.abs(ours - exact)[loud].max() < 1e-3
    assert (np.abs(ours - original) - np.abs(original - exact))[loud].max() < 1e-3


@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [("refmax", {"top_db": 80.0, "reference": "maximum"}), ("notop", {})],
)
def test_equals_the_further_settings_of_librosa(excerpt, name, settings, shared):
    wave = np.load(shared / "golden/feat_waves.npz")[f"{excerpt}/wave_44100"]
    original = np.load(shared / "golden/feat_librosa.npz")[f"{excerpt}/f_mel_db_{name}"]
    ours = log_mel.build(**LIBROSA, **settings)(wave[None])[0, ..., 0].numpy()
    loud = original > original.max() - 80
    np.testing.assert_allclose(ours[loud], original[loud], atol=1e-3)


@pytest.mark.parametrize(("constants", "mean", "std"), [
    ("audioset", -4.2677393, 2 * 4.5689974), ("esc50", -6.6268077, 2 * 5.358466),
])  # fmt: skip
def test_ast_pads_with_zero_before_it_normalises(constants, mean, std, shared):
    wave = np.load(shared / "golden/feat_waves.npz")["ex0/wave_16000"]
    original = np.load(shared / "golden/feat_logmel.npz")[f"ex0/d_ast_fbank_pad100_{constants}_norm"].T
    ours = (log_mel.build(**AST, frames=100)(wave[None])[0, ..., 0].numpy() - mean) / std
    np.testing.assert_allclose(ours, original, atol=1e-5)


@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
def test_equals_yamnet(excerpt, shared):
    """features.py of YAMNet (tensorflow/models, research/audioset/yamnet), within 1e-3 dB of its float64 form."""
    wave = np.load(shared / "golden/feat_waves.npz")[f"{excerpt}/wave_16000"]
    original, exact = (2 * DB * _yamnet(tf.cast(wave, kind)) for kind in (tf.float32, tf.float64))
    ours = 2 * DB * log_mel.build(**YAMNET)(wave[None])[0, ..., 0].numpy()
    assert np.abs(ours - exact)[exact > exact.max() - 80].max() < 1e-3
    assert np.abs(ours - exact).max() < np.abs(original - exact).max() + 3e-3


def _yamnet(wave):
    spectrum = tf.signal.stft(wave, frame_length=400, frame_step=160, fft_length=512)
    bank = tf.signal.linear_to_mel_weight_matrix(64, 257, 16000, 125.0, 7500.0, dtype=wave.dtype)
    return tf.math.log(tf.abs(spectrum) @ bank + 0.001).numpy().astype(float).T


def test_every_flavour_is_tested():
    choices = typing.get_args(typing.get_type_hints(log_mel.build)["flavour"])
    assert set(EACH) == set(_flavours.FLAVOURS) == set(choices)


@pytest.fixture(scope="module", params=EACH)
def layer(request):
    return log_mel.build(**EACH[request.param])


def noise(layer, count, seed=0):
    samples = layer.settings["sample_rate_hz"]
    return np.random.default_rng(seed).standard_normal((count, samples)).astype("f")


def test_a_tone_lands_in_its_band(layer):
    rate = layer.settings["sample_rate_hz"]
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype("f")
    mel = layer(tone[None])[0, ..., 0].numpy()
    numbers = [layer.settings[key] for key in ("bands", "fft_samples", "sample_rate_hz", "min_hz", "max_hz")]
    band = layer.flavour.bank(*numbers)[round(1000 * layer.settings["fft_samples"] / rate)].argmax()
    assert np.all(mel[:, 10:-10].argmax(0) == band)
    assert mel[-1, 20] < mel[band, 20] - 7


def test_an_impulse_lands_in_its_frame():
    wave = np.zeros((1, 32000), "f")
    wave[0, 16000] = 1.0
    assert np.argmax(log_mel.build(**BASELINE)(wave)[0, 128, :, 0]) == 16000 // 500


def test_silence_gives_the_floor(layer):
    mel = layer(np.zeros((2, layer.settings["sample_rate_hz"]), "f"))
    assert mel.shape == layer.compute_output_shape((2, layer.settings["sample_rate_hz"]))
    np.testing.assert_allclose(mel, layer.silence, atol=1e-5)
    assert layer.silence == pytest.approx(
        {1e-5: np.log(1e-5), 1e-10: -100, 2**-23: np.log(2**-23), 1e-3: np.log(1e-3)}[layer.flavour.floor]
    )


def test_a_full_scale_square_wave_is_finite(layer):
    rate = layer.settings["sample_rate_hz"]
    square = np.where(np.arange(rate) // 50 % 2, -1.0, 1.0).astype("f")
    assert np.isfinite(layer(square[None])).all()


def test_a_clip_does_not_depend_on_its_neighbours(layer):
    """Neither on a loud one, nor on one of NaN, nor on their number."""
    quiet, loud = 1e-3 * noise(layer, 1), noise(layer, 1, 1)
    alone = layer(quiet)[0].numpy()
    together = layer(np.concatenate([quiet, loud, loud * np.nan, quiet, loud, quiet])).numpy()
    for index in (0, 3, 5):
        np.testing.assert_allclose(together[index], alone, atol=2e-5)
    assert np.isnan(together[2]).all() and np.isfinite(together[4]).all()


def test_runs_in_a_dataset_a_graph_and_xla(layer):
    waves = noise(layer, 5)
    direct = layer(waves).numpy()
    dataset = tf.data.Dataset.from_tensor_slices(waves).batch(5).map(layer)
    np.testing.assert_allclose(next(iter(dataset)), direct, atol=2e-5)
    for compiled in (False, True):
        np.testing.assert_allclose(tf.function(layer, jit_compile=compiled)(waves), direct, atol=2e-5)


def test_saves_and_loads_in_a_model(layer, tmp_path):
    waves = noise(layer, 5)
    inputs = keras.Input(waves.shape[1:])
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, *layer.compute_output_shape(waves.shape)[1:])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(waves, verbose=0), layer(waves), atol=2e-5)
    assert loaded.get_layer("log_mel").get_config() == layer.get_config()


def test_computes_in_float32_under_mixed_precision():
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        layer = log_mel.build(**BASELINE)
        waves = noise(layer, 1)
        assert layer(waves).dtype == tf.float32
        inputs = keras.Input((32000,))
        np.testing.assert_allclose(keras.Model(inputs, layer(inputs))(waves), layer(waves), atol=2e-5)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")


@pytest.mark.parametrize(("settings", "least"), [(BASELINE, 1538), (PASST, 403), (AST, 400), (LIBROSA, 1)])
def test_waves_too_short_are_refused_when_traced(settings, least):
    layer = log_mel.build(**settings)
    assert np.isfinite(layer(np.ones((2, least), "f"))).all()
    if least > 1:
        with pytest.raises(UserError, match=f"a wave of {least - 1} sample.* needs at least {least}"):
            layer(keras.Input((least - 1,)))
        with pytest.raises(UserError, match="a wave of 1 sample"):
            layer(np.ones((2, 1), "f"))
    with pytest.raises(UserError, match="must be known"):
        layer(keras.Input((None,)))


def test_deltas_are_channels():
    layer = log_mel.build(**LIBROSA, frames=132, deltas="three_point")
    wave = noise(layer, 1)
    assert layer(wave).shape == layer.compute_output_shape(wave.shape) == (1, 128, 128, 3)
    plain = log_mel.build(**LIBROSA)(wave)[0, :, 4:132, 0]
    np.testing.assert_allclose(layer(wave)[0, ..., 0], plain, atol=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_samples": 5000}, {"fft_samples": 4095, "window_samples": 3000}, {"max_hz": 17000.0},
        {"min_hz": 16000.0}, {"hop_samples": 0}, {"bands": 0}, {"top_db": 80.0}, {"reference": "maximum"},
        {"max_hz_range": 2}, {"flavour": "kaldi", "max_hz_range": 2}, {"flavour": "slaney", "top_db": -1.0},
        {"flavour": "kaldi", "min_hz_range": 0}, {"flavour": "kaldi", "max_hz": 15.0, "min_hz_range": 20},
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(UserError, match="features/log_mel"):
        log_mel.build(**(BASELINE | wrong))


SMALL = CP_JKU | {"sample_rate_hz": 8000, "window_samples": 256, "hop_samples": 2000, "fft_samples": 256, "bands": 16}


def test_training_draws_whole_hertz():
    """The original: fmin + U{0 ... range - 1}; fmax + range // 2 - U{0 ... range - 1}."""
    layer = log_mel.build(**(SMALL | {"max_hz": 3000.0}), min_hz_range=2, max_hz_range=4)
    drawn = [tuple(float(hz) for hz in layer.drawn_hz(tf.constant([0, seed]))) for seed in range(100)]
    assert set(drawn) == {(low, high) for low in (0, 1) for high in (2999, 3000, 3001, 3002)}
    assert drawn[3] == tuple(float(hz) for hz in layer.drawn_hz(tf.constant([0, 3])))


def test_training_uses_the_bank_it_draws():
    layer = log_mel.build(**(SMALL | {"max_hz": 3000.0}), min_hz_range=100, max_hz_range=1000)
    wave, seed = noise(layer, 2), tf.constant([1, 2])
    low, high = (float(hz) for hz in layer.drawn_hz(seed))
    fixed = log_mel.build(**(SMALL | {"min_hz": low, "max_hz": high}))
    np.testing.assert_allclose(layer.varied(wave, seed), fixed(wave), atol=2e-4)
    assert np.abs(layer(wave) - fixed(wave)).max() > 0.1


def test_varies_only_with_a_range():
    assert not log_mel.build(**(SMALL | {"max_hz": 3000.0})).varies
    assert log_mel.build(**(SMALL | {"max_hz": 3000.0}), max_hz_range=2000).varies
