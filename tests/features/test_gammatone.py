import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _gammatone_bank, gammatone

AIT2023 = {
    "sample_rate_hz": 44100, "window_samples": 2048, "hop_samples": 326, "bands": 128,
    "min_hz": 50.0, "max_hz": 22050.0, "scale": "magnitude",
}  # fmt: skip
SMALL = AIT2023 | {"sample_rate_hz": 8000, "window_samples": 256, "hop_samples": 100, "bands": 32, "max_hz": 4000.0}
METHODS = ("fft", "filters")


@pytest.mark.parametrize("method, golden_name", [("fft", "h_fft_gtgram"), ("filters", "h_gtgram_iir")])
@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
def test_equals_the_package(shared, method, golden_name, excerpt):
    wave = np.load(shared / "golden/feat_waves.npz")[f"{excerpt}/wave_44100"]
    golden = np.load(shared / "golden/feat_gammatone.npz")
    reference = golden[f"{excerpt}/{golden_name}"]
    ours = gammatone.build(method=method, **AIT2023)(wave[None])[0, ..., 0].numpy()
    loud = reference > reference.max() * 1e-4  # within 80 dB of the maximum
    np.testing.assert_allclose(20 * np.log10(ours[loud] / reference[loud]), 0, atol=1e-3)
    decibels = gammatone.build(method=method, **(AIT2023 | {"scale": "db", "top_db": 80.0}))(wave[None])
    np.testing.assert_allclose(decibels[0, ..., 0], golden[f"{excerpt}/{golden_name}_db"], atol=1e-3)


def test_fft_from_20_hz_equals_the_package(shared):
    wave = np.load(shared / "golden/feat_waves.npz")["ex0/wave_44100"]
    reference = np.load(shared / "golden/feat_gammatone.npz")["ex0/h_fft_gtgram_fmin20"]
    ours = gammatone.build(method="fft", **(AIT2023 | {"min_hz": 20.0}))(wave[None])[0, ..., 0]
    np.testing.assert_allclose(ours, reference, rtol=1e-4)


def test_centres_and_weights_equal_the_package(shared):
    golden = np.load(shared / "golden/feat_gammatone.npz")
    np.testing.assert_allclose(_gammatone_bank.centres_hz(128, 50.0, 22050.0), golden["h_centre_freqs_ascending"])
    weights = gammatone.build(method="fft", **AIT2023).transform.weights * 4096
    np.testing.assert_allclose(weights.T, golden["h_fft_weights"], rtol=1e-5)


def test_a_filter_passes_its_centre_unchanged():
    bank = _gammatone_bank.design(32, 8000, 50.0, 4000.0)
    np.testing.assert_allclose(np.diagonal(_gammatone_bank.response(bank, bank.angle[:, None])), 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_a_tone_lands_in_its_band(method):
    centre = _gammatone_bank.centres_hz(32, 50.0, 4000.0)[20]
    tone = np.sin(2 * np.pi * centre * np.arange(8000) / 8000).astype("f")
    ours = gammatone.build(method=method, **SMALL)(tone[None])[0, :, 40, 0].numpy()
    assert ours.argmax() == 20
    if method == "filters":  # the root mean square of a sine
        assert ours[20] == pytest.approx(np.sqrt(0.5), rel=0.02)


@pytest.mark.parametrize("window, hop", [(256, 100), (300, 100), (64, 100)])
def test_filters_sum_the_energy_of_each_window(window, hop):
    """Against the impulse responses by inverse FFT, for windows that are no multiple of the hop, one, and shorter."""
    settings = SMALL | {"window_samples": window, "hop_samples": hop, "min_hz": 200.0, "bands": 5}
    wave = np.random.default_rng(0).standard_normal(2000)
    angles = 2 * np.pi * np.arange(4097) / 8192
    bank = _gammatone_bank.design(5, 8000, 200.0, 4000.0)
    responses = _complex_response(bank, angles)
    outputs = np.fft.irfft(responses * np.fft.rfft(wave, 8192), 8192)[:, :2000]
    starts = range(0, 2000 - window + 1, hop)
    expected = np.sqrt(np.stack([(outputs[:, s : s + window] ** 2).mean(1) for s in starts], 1))
    ours = gammatone.build(method="filters", **settings)(wave[None].astype("f"))[0, ..., 0]
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def _complex_response(bank, angles):
    back, d = np.exp(-1j * angles), bank.decay[:, None]
    cos, sin = np.cos(bank.angle)[:, None], np.sin(bank.angle)[:, None]
    roots = [sign * np.sqrt(3 + inner * 2**1.5) for inner in (1, -1) for sign in (1, -1)]
    numerator = np.prod([1 - d * (cos + root * sin) * back for root in roots], 0)
    return numerator / (1 - 2 * d * cos * back + (d * back) ** 2) ** 4 / bank.gain[:, None]


@pytest.mark.parametrize("method", METHODS)
def test_an_impulse_lands_in_its_frames(method):
    wave = np.zeros((1, 8000), "f")
    wave[0, 4000] = 1.0
    ours = gammatone.build(method=method, **SMALL)(wave)[0, 16, :, 0].numpy()
    middle = 4000 - (256 if method == "fft" else 128)  # the FFT takes twice the window
    assert abs(np.argmax(ours) - middle / 100) <= 1.5


@pytest.mark.parametrize("method", METHODS)
def test_silence_and_a_full_scale_square_wave_are_finite(method):
    layer = gammatone.build(method=method, **(SMALL | {"scale": "db"}))
    square = np.sign(np.sin(2 * np.pi * 100.5 * np.arange(8000) / 8000)).astype("f")
    silence, loud = layer(np.stack([np.zeros(8000, "f"), square])).numpy()
    np.testing.assert_allclose(silence, layer.silence, atol=1e-4)
    assert np.isfinite(loud).all() and loud.max() > -20


@pytest.mark.parametrize("method", METHODS)
def test_a_clip_does_not_depend_on_its_neighbours(method):
    layer = gammatone.build(method=method, **(SMALL | {"scale": "db", "top_db": 60.0, "deltas": "interpolated"}))
    rng = np.random.default_rng(0)
    quiet, loud = 1e-3 * rng.standard_normal((1, 8000)).astype("f"), rng.standard_normal((1, 8000)).astype("f")
    wrong = np.full((1, 8000), np.nan, "f")
    together = layer(np.concatenate([quiet, loud, wrong])).numpy()
    np.testing.assert_allclose(together[:1], layer(quiet), atol=1e-4)
    assert np.isnan(together[2]).any()  # a NaN stays in its clip


@pytest.mark.parametrize("method", METHODS)
def test_runs_in_a_dataset_a_model_a_graph_and_xla(method):
    layer = gammatone.build(method=method, **SMALL)
    waves = np.random.default_rng(0).standard_normal((3, 8000)).astype("f")
    direct = layer(waves).numpy()
    dataset = tf.data.Dataset.from_tensor_slices(waves).batch(3).map(layer, 2)
    np.testing.assert_allclose(next(iter(dataset)), direct, rtol=1e-4)
    inputs = keras.Input((8000,))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, *direct.shape[1:])
    np.testing.assert_allclose(model(waves), direct, rtol=1e-4)
    np.testing.assert_allclose(tf.function(layer, jit_compile=True)(waves), direct, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_saves_and_loads(method, tmp_path):
    layer = gammatone.build(method=method, **(SMALL | {"scale": "db", "top_db": 60.0, "deltas": "valid", "frames": 70}))
    inputs = keras.Input((8000,))
    keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
    waves = np.random.default_rng(0).standard_normal((1, 8000)).astype("f")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(waves), layer(waves))
    assert loaded.get_layer("gammatone").get_config() == layer.get_config()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [0, 1, 9, 17])
def test_takes_batches_of_any_size(method, count):
    layer = gammatone.build(method=method, **SMALL)
    waves = np.random.default_rng(0).standard_normal((count, 8000)).astype("f")
    together = layer(waves).numpy()
    assert together.shape == (count, *layer.compute_output_shape((None, 8000))[1:])
    if count:
        np.testing.assert_allclose(together[-1:], layer(waves[-1:]), rtol=1e-4)


def test_stays_in_float32_under_mixed_precision():
    waves = np.random.default_rng(0).standard_normal((1, 8000)).astype("f")
    expected = gammatone.build(method="fft", **SMALL)(waves)
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        ours = gammatone.build(method="fft", **SMALL)(waves)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert ours.dtype == tf.float32
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("method", METHODS)
def test_has_the_output_shape_of_ait2023(method):
    settings = AIT2023 | {"scale": "db", "frames": 132, "deltas": "three_point"}
    layer = gammatone.build(method=method, **settings)
    assert layer.compute_output_shape((None, 44100)) == (None, 128, 128, 3)


@pytest.mark.parametrize(
    "wrong",
    [{"max_hz": 5000.0}, {"min_hz": 0.0}, {"hop_samples": 0}, {"window_samples": 1}, {"top_db": 80.0}, {"frames": -1}],
)
def test_settings_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(UserError, match="features/gammatone"):
        gammatone.build(method="fft", **(SMALL | wrong))


@pytest.mark.parametrize("method", METHODS)
def test_a_clip_shorter_than_a_frame_is_refused(method):
    with pytest.raises(UserError, match="a clip of 1 samples is shorter"):
        gammatone.build(method=method, **SMALL)(np.zeros((1, 1), "f"))
