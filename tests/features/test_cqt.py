import keras
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import cqt

C1_HZ = 32.70319566257483
AIT2023 = {
    "sample_rate_hz": 44100, "hop_samples": 326, "bands": 128, "bins_per_octave": 16, "min_hz": 2 * C1_HZ,
    "scale": "magnitude",
}  # fmt: skip
GOLDEN = {
    "g_cqt128_hop326": AIT2023,
    "g_cqt128_hop320": AIT2023 | {"hop_samples": 320, "bins_per_octave": 24, "min_hz": 4 * C1_HZ},
    "g_cqt84_hop512": AIT2023 | {"hop_samples": 512, "bands": 84, "bins_per_octave": 12, "min_hz": C1_HZ},
}
SMALL = AIT2023 | {"sample_rate_hz": 8000, "hop_samples": 100, "bands": 48, "bins_per_octave": 12, "min_hz": 200.0}


@pytest.mark.parametrize("name", GOLDEN)
def test_equals_librosa(shared, name):
    waves = np.load(shared / "golden/feat_waves.npz")
    golden = np.load(shared / "golden/feat_librosa.npz")
    layer = cqt.build(**GOLDEN[name])
    np.testing.assert_allclose(layer.transform.filters.lengths, golden[f"{name}_filter_lengths_44100"])
    for excerpt in ("ex0", "ex1"):
        direct, librosas = golden[f"{excerpt}/{name}_mag_direct"], golden[f"{excerpt}/{name}_mag"]
        ours = layer(waves[f"{excerpt}/wave_44100"][None])[0, ..., 0].numpy()
        loud = direct > direct.max() * 1e-4  # within 80 dB of the maximum
        np.testing.assert_allclose(20 * np.log10(ours[loud] / direct[loud]), 0, atol=1e-3)
        # librosa resamples and prunes its filters: 1.4 % of the maximum from the direct transform.
        np.testing.assert_allclose(ours, librosas, atol=0.015 * librosas.max())


@pytest.mark.parametrize("hop, samples", [(100, 8000), (101, 8000), (128, 4001), (1500, 3000)])
def test_equals_librosas_filters_on_frames(hop, samples):
    """The definition, frame by frame: librosa's filters, transformed, against the transform of each frame."""
    layer = cqt.build(**(SMALL | {"hop_samples": hop}))
    wave = np.random.default_rng(0).standard_normal(samples)
    span = max(1024, 2 ** int(np.ceil(np.log2(2 * hop))))
    padded = np.pad(wave, span // 2)
    frames = np.stack([padded[start : start + span] for start in range(0, samples + 1, hop)], 1)
    spectra = np.fft.rfft(frames, axis=0)
    expected = [
        np.abs(_librosas_filter(200 * 2 ** (band / 12) / 8000, length, span) @ spectra)
        for band, length in enumerate(layer.transform.filters.lengths)
    ]
    ours = layer(wave[None].astype("f"))[0, ..., 0].numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-6 * np.max(expected))


def _librosas_filter(cycle, length, span):
    wave = np.exp(2j * np.pi * cycle * np.arange(-length // 2, length // 2))
    wave *= scipy.signal.get_window("hann", len(wave))
    start = (span - len(wave)) // 2
    padded = np.pad(wave / np.abs(wave).sum(), (start, span - len(wave) - start))
    return np.fft.fft(padded)[: span // 2 + 1] * np.sqrt(length) / span


def test_decibels_end_top_db_below_each_clips_maximum():
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * 400 * np.arange(8000) / 8000) * [[1.0], [0.01]] + 1e-7 * rng.standard_normal((2, 8000))
    magnitude = cqt.build(**SMALL)(wave.astype("f")).numpy()
    full = cqt.build(**(SMALL | {"scale": "db"}))(wave.astype("f")).numpy()
    np.testing.assert_allclose(full, 20 * np.log10(np.maximum(magnitude, 1e-5)), atol=1e-4)
    cut = cqt.build(**(SMALL | {"scale": "db", "top_db": 30.0}))(wave.astype("f")).numpy()
    assert (full.max((1, 2)) - full.min((1, 2)) > 40).all()
    np.testing.assert_allclose(cut.max((1, 2)) - cut.min((1, 2)), 30, atol=1e-4)


def test_a_tone_lands_in_its_band_with_its_amplitude():
    """A filter has the sum 1, and takes half of a sine: its magnitude is half the root of its length."""
    layer = cqt.build(**SMALL)
    tone = np.sin(2 * np.pi * 200 * 2 ** (20 / 12) * np.arange(8000) / 8000).astype("f")
    middle = layer(tone[None])[0, :, 40, 0].numpy()
    assert middle.argmax() == 20
    assert middle[20] == pytest.approx(0.5 * np.sqrt(layer.transform.filters.lengths[20]), rel=1e-3)


def test_an_impulse_gives_the_window():
    layer = cqt.build(**SMALL)
    wave = np.zeros((1, 8000), "f")
    wave[0, 4000] = 1.0
    ours = layer(wave)[0, ..., 0].numpy()
    length = layer.transform.filters.lengths[0]  # 693.3 samples: 693, whose window sums to their half
    assert ours[0].argmax() == 40
    offsets = np.arange(-3, 4) * 100 + 0.5
    window = np.where(np.abs(offsets) < 346.5, 0.5 + 0.5 * np.cos(2 * np.pi * offsets / 693), 0)
    np.testing.assert_allclose(ours[0, 37:44], window / 346.5 * np.sqrt(length), atol=1e-3 * ours.max())


def test_silence_and_a_full_scale_square_wave_are_finite():
    layer = cqt.build(**(SMALL | {"scale": "db"}))
    square = np.sign(np.sin(2 * np.pi * 100.5 * np.arange(8000) / 8000)).astype("f")
    silence, loud = layer(np.stack([np.zeros(8000, "f"), square])).numpy()
    np.testing.assert_allclose(silence, layer.silence, atol=1e-4)
    assert np.isfinite(loud).all() and loud.max() > 0


def test_a_clip_does_not_depend_on_its_neighbours():
    layer = cqt.build(**(SMALL | {"scale": "db", "top_db": 60.0, "deltas": "interpolated"}))
    rng = np.random.default_rng(0)
    quiet, loud = 1e-3 * rng.standard_normal((1, 8000)).astype("f"), rng.standard_normal((1, 8000)).astype("f")
    wrong = np.full((1, 8000), np.nan, "f")
    together = layer(np.concatenate([quiet, loud, wrong])).numpy()
    np.testing.assert_allclose(together[:1], layer(quiet), atol=1e-4)
    assert np.isnan(together[2]).any()  # a NaN stays in its clip


def test_runs_in_a_dataset_a_model_a_graph_and_xla():
    layer = cqt.build(**SMALL)
    waves = np.random.default_rng(0).standard_normal((3, 8000)).astype("f")
    direct = layer(waves).numpy()
    dataset = tf.data.Dataset.from_tensor_slices(waves).batch(3).map(layer, 2)
    np.testing.assert_allclose(next(iter(dataset)), direct, rtol=1e-4)
    inputs = keras.Input((8000,))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, *direct.shape[1:])
    np.testing.assert_allclose(model(waves), direct, rtol=1e-4)
    np.testing.assert_allclose(tf.function(layer, jit_compile=True)(waves), direct, rtol=1e-4)


def test_saves_and_loads(tmp_path):
    layer = cqt.build(**SMALL)
    inputs = keras.Input((8000,))
    keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
    waves = np.random.default_rng(0).standard_normal((1, 8000)).astype("f")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(waves), layer(waves))
    assert loaded.get_layer("cqt").get_config() == layer.get_config()


@pytest.mark.parametrize("count", [0, 1, 9, 17])
def test_takes_batches_of_any_size(count):
    layer = cqt.build(**SMALL)
    waves = np.random.default_rng(0).standard_normal((count, 8000)).astype("f")
    together = layer(waves).numpy()
    assert together.shape == (count, *layer.compute_output_shape((None, 8000))[1:])
    if count:
        np.testing.assert_allclose(together[-1:], layer(waves[-1:]), rtol=1e-4)


def test_stays_in_float32_under_mixed_precision():
    waves = np.random.default_rng(0).standard_normal((1, 8000)).astype("f")
    expected = cqt.build(**SMALL)(waves)
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        ours = cqt.build(**SMALL)(waves)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert ours.dtype == tf.float32
    np.testing.assert_array_equal(ours, expected)


def test_has_the_output_shape_of_ait2023():
    layer = cqt.build(**(AIT2023 | {"scale": "db", "frames": 132, "deltas": "three_point"}))
    assert layer.compute_output_shape((None, 44100)) == (None, 128, 128, 3)
    layer = cqt.build(**(AIT2023 | {"scale": "db", "deltas": "valid"}))
    assert layer.compute_output_shape((None, 44100)) == (None, 128, 128, 3)


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"bands": 60}, "above half of sample_rate_hz"),
        ({"min_hz": 0.0}, "min_hz above 0"),
        ({"hop_samples": 0}, "at least 1"),
        ({"top_db": 80.0}, "needs scale"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(wrong, words):
    with pytest.raises(UserError, match=words):
        cqt.build(**(SMALL | wrong))


def test_a_clip_shorter_than_the_lowest_filter_is_refused():
    layer = cqt.build(**AIT2023)
    with pytest.raises(UserError, match="lowest filter is 15573 samples long, longer than a clip of 1:"):
        layer(np.zeros((1, 1), "f"))
    with pytest.raises(UserError, match="take a higher min_hz"):
        layer.compute_output_shape((None, 15573))
    assert layer.compute_output_shape((None, 15574)) == (None, 128, 48, 1)
