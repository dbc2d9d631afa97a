import numpy as np
import pytest
import tensorflow as tf

from asc_tf.features import _framing, _mel, _windows

BANKS = {
    "a_cpjku23_256": (_mel.kaldi_bank, (256, 4096, 32000, 0.0, 15500.0)),
    "c_128_fmax15000": (_mel.kaldi_bank, (128, 1024, 32000, 0.0, 15000.0)),
    "c_128_fmax15500": (_mel.kaldi_bank, (128, 1024, 32000, 0.0, 15500.0)),
    "b_baseline24_256": (_mel.htk_bank, (256, 4096, 32000, 0.0, 16000.0)),
    "d_ast_128": (_mel.kaldi_bank, (128, 512, 16000, 20.0, 8000.0)),
    "e_htsat_64": (_mel.slaney_bank, (64, 1024, 32000, 50.0, 14000.0)),
    "f_librosa_128": (_mel.slaney_bank, (128, 4096, 44100, 0.0, 22050.0)),
}


@pytest.mark.parametrize("name", BANKS)
def test_banks_equal_their_originals(name, shared):
    original = np.load(shared / "golden/feat_filterbanks.npz")[f"{name}_bank"].T
    bank, numbers = BANKS[name]
    np.testing.assert_allclose(bank(*numbers), original, atol=4e-5 * original.max())
    assert ((bank(*numbers) > 0) == (original > 0)).mean() > 0.9999  # weights of 1e-5 come and go


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("a_cpjku23_256", _windows.torch_hann(3072, symmetric=True)),
        ("c_128_fmax15500", _windows.torch_hann(800, symmetric=True)),
        ("b_baseline24_256", _windows.torch_hann(3072, symmetric=False)),
        ("d_ast", _windows.hann(400, symmetric=True)),
    ],
)
def test_windows_equal_their_originals(name, window, shared):
    np.testing.assert_allclose(window, np.load(shared / "golden/feat_filterbanks.npz")[f"{name}_window"], atol=2e-7)


def test_scales_at_known_points():
    assert _mel.slaney_mel(np.array([200.0, 1000.0, 6400.0])) == pytest.approx([3, 15, 42])
    assert _mel.slaney_hz(_mel.slaney_mel(np.array([50.0, 440.0, 14000.0]))) == pytest.approx([50, 440, 14000])
    assert _mel.kaldi_mel(700.0) == pytest.approx(1127 * np.log(2))


def test_triangles_peak_at_1_or_have_area_2():
    """Kaldi's and HTK's triangles sum to 1 between the first and the last centre; Slaney's have equal areas."""
    for bank in (_mel.htk_bank, _mel.kaldi_bank):
        weights = bank(20, 4096, 32000, 100.0, 8000.0)
        assert weights.max() == pytest.approx(1, abs=0.02)
        first, last = weights[:, 0].argmax(), weights[:, -1].argmax()
        np.testing.assert_allclose(weights[first + 1 : last].sum(1), 1, atol=1e-4)
    areas = _mel.slaney_bank(20, 4096, 32000, 100.0, 8000.0).sum(0) * 32000 / 4096
    np.testing.assert_allclose(areas, 1, rtol=0.01)


def test_groups_equal_the_whole_bank():
    bank = _mel.htk_bank(40, 512, 16000, 0.0, 8000.0)
    power = np.random.default_rng(0).random((2, 7, 257)).astype("f")
    grouped = _mel.apply_bank(power, _mel.grouped(bank))
    np.testing.assert_allclose(grouped, np.swapaxes(power @ bank, 1, 2), rtol=1e-5)


def test_weights_in_graph_code_equal_those_of_the_bank():
    bank = _mel.kaldi_bank(128, 1024, 32000, 0.0, 15000.0)
    groups = _mel.grouped(bank)
    drawn = _mel.kaldi_weights(groups, 1024, 32000, tf.constant(0.0), tf.constant(15000.0))
    for (_, weights), tensor in zip(groups, drawn, strict=True):
        np.testing.assert_allclose(tensor, weights, atol=1e-4)


def test_frames_overlap_by_the_hop():
    wave = np.arange(20, dtype="f")[None]
    np.testing.assert_array_equal(
        _framing.overlapping(wave, 3, 7, 3)[0], [np.arange(7), np.arange(3, 10), np.arange(6, 13)]
    )
    np.testing.assert_array_equal(_framing.overlapping(wave, 2, 4, 9)[0], [np.arange(4), np.arange(9, 13)])
