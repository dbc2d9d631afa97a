import numpy as np
import pytest
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _delta, cqt, gammatone, log_mel

# The three spectrograms of ait2023: 44.1 kHz, window 2048, hop 326, 128 bands; 132 frames, 128 after the differences.
KINDS = {
    "MEL": (log_mel, {
        "flavour": "slaney", "window_samples": 2048, "fft_samples": 4096, "min_hz": 0.0, "max_hz": 22050.0,
    }),
    "GAM": (gammatone, {
        "method": "fft", "scale": "db", "window_samples": 2048, "min_hz": 50.0, "max_hz": 22050.0,
    }),
    "GAM exact": (gammatone, {
        "method": "filters", "scale": "db", "window_samples": 2048, "min_hz": 50.0, "max_hz": 22050.0,
    }),
    "CQT": (cqt, {"scale": "db", "bins_per_octave": 16, "min_hz": 65.4}),
}  # fmt: skip


@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
def test_interpolated_equals_librosa(shared, excerpt):
    golden = np.load(shared / "golden/feat_librosa.npz")
    mel = golden[f"{excerpt}/f_mel_db"]
    ours = _delta.with_deltas(mel[None], deltas="interpolated")[0].numpy()
    np.testing.assert_array_equal(ours[..., 0], mel)
    np.testing.assert_allclose(ours[..., 1], golden[f"{excerpt}/f_delta1"], atol=1e-4)
    np.testing.assert_allclose(ours[..., 2], golden[f"{excerpt}/f_delta2"], atol=1e-4)


@pytest.mark.parametrize("excerpt", ["ex0", "ex1"])
def test_valid_is_what_every_edge_mode_of_librosa_agrees_on(shared, excerpt):
    golden = np.load(shared / "golden/feat_librosa.npz")
    ours = _delta.with_deltas(golden[f"{excerpt}/f_mel_db"][None], deltas="valid")[0].numpy()
    assert ours.shape == (128, 128, 3)  # ait2023's size, from 136 frames
    np.testing.assert_array_equal(ours[..., 0], golden[f"{excerpt}/f_mel_db"][:, 4:132])
    for mode in ("", "_nearest"):
        np.testing.assert_allclose(ours[..., 1], golden[f"{excerpt}/f_delta1{mode}"][:, 4:132], atol=1e-4)
        np.testing.assert_allclose(ours[..., 2], golden[f"{excerpt}/f_delta2{mode}"][:, 4:132], atol=1e-4)


@pytest.mark.parametrize("deltas", ["interpolated", "valid"])
def test_derivatives_of_a_parabola(deltas):
    t = np.arange(20.0)
    ours = _delta.with_deltas((3 + 2 * t + 0.5 * t**2)[None, None].astype("f"), deltas=deltas)[0, 0].numpy()
    t = t if deltas == "interpolated" else t[4:-4]
    np.testing.assert_allclose(ours[:, 2], 1.0, atol=2e-4)
    # The first derivative fits a line: right inside, and at the edges one slope for the outer nine frames.
    expected = np.clip(t, 4, 15) + 2
    np.testing.assert_allclose(ours[:, 1], expected, atol=2e-4)


def test_three_points_by_hand():
    ours = _delta.with_deltas(tf.constant([[[0.0, 1.0, 4.0, 9.0, 7.0, 1.0]]]), deltas="three_point")[0, 0].numpy()
    # d = (4 - 0) / 2, (9 - 1) / 2, (7 - 4) / 2, (1 - 9) / 2 = 2, 4, 1.5, -4; d of d = (1.5 - 2) / 2, (-4 - 4) / 2
    np.testing.assert_allclose(ours, [[4.0, 4.0, -0.25], [9.0, 1.5, -4.0]], atol=1e-6)


@pytest.mark.parametrize("count, first, last", [(136, 2, 133), (123, 0, 122), (132, 0, 131), (133, 0, 131)])
def test_frames_are_cropped_about_the_centre_or_the_edges_repeated(count, first, last):
    spectrogram = tf.broadcast_to(tf.range(count, dtype=tf.float32), (1, 2, count))
    ours = _delta.with_deltas(spectrogram, deltas="none", frames=132).numpy()
    assert ours.shape == (1, 2, 132, 1)
    assert (ours[0, 0, 0, 0], ours[0, 0, -1, 0]) == (first, last)
    assert _delta.with_deltas(spectrogram, deltas="three_point", frames=132).shape == (1, 2, 128, 3)


def test_too_few_frames_are_refused():
    with pytest.raises(UserError, match="at least 9 frames"):
        _delta.with_deltas(np.zeros((1, 4, 8), "f"), deltas="valid")
    assert _delta.output_frames(9, deltas="valid") == 1


def test_a_nan_stays_in_its_band():
    spectrogram = np.ones((1, 2, 20), "f")
    spectrogram[0, 1, 5] = np.nan
    ours = _delta.with_deltas(spectrogram, deltas="interpolated").numpy()
    assert np.isfinite(ours[0, 0]).all() and np.isnan(ours[0, 1, :, 1]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_all_front_ends_have_the_shape_and_the_deltas_of_ait2023(kind):
    part, settings = KINDS[kind]
    settings = {"sample_rate_hz": 44100, "hop_samples": 326, "bands": 128, "frames": 132} | settings
    wave = np.random.default_rng(0).standard_normal((1, 44100)).astype("f")
    plain = part.build(**settings)(wave)[0, ..., 0].numpy()
    ours = part.build(**settings, deltas="three_point")(wave)[0].numpy()
    assert plain.shape == (128, 132) and ours.shape == (128, 128, 3)
    np.testing.assert_allclose(ours[..., 0], plain[:, 2:-2], atol=1e-3)
    np.testing.assert_allclose(ours[..., 1], (plain[:, 3:-1] - plain[:, 1:-3]) / 2, atol=1e-3)
    np.testing.assert_allclose(ours[..., 2], (plain[:, 4:] - 2 * plain[:, 2:-2] + plain[:, :-4]) / 4, atol=1e-3)
