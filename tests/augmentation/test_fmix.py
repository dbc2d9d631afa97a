import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import fmix
from asc_tf.errors import UserError

SEED = tf.constant([0, 1])


def original_image(noise, bands, frames, decay, as_released):
    """The formula, and the released code's way with the same noise (bands, frames // 2 + 1, 2), in numpy."""
    frequency = np.sqrt(np.fft.fftfreq(bands)[:, None] ** 2 + np.fft.fftfreq(frames)[: frames // 2 + 1] ** 2)
    spectrum = noise / np.maximum(frequency, 1 / max(bands, frames))[..., None] ** decay
    if as_released:
        spectrum = spectrum[None]
        return np.fft.irfftn(spectrum[:, 0] + 1j * spectrum[:, 1], (bands, frames))[0]
    return np.fft.irfft2(spectrum[..., 0] + 1j * spectrum[..., 1], (bands, frames))


@pytest.mark.parametrize("as_released", [False, True])
@pytest.mark.parametrize("shape", [(256, 64), (20, 32), (128, 65)])
def test_the_image_is_that_of_the_formula(shape, as_released):
    noise = tf.random.stateless_normal([shape[0], shape[1] // 2 + 1, 2], SEED).numpy().astype(float)
    expected = original_image(noise, *shape, 3.0, as_released)
    ours = fmix.image(SEED, *shape, 3.0, as_released).numpy()
    np.testing.assert_allclose(ours / np.ptp(expected), expected / np.ptp(expected), atol=1e-5)


def energies(as_released, images=200):
    """(256, 64): mean share of an image's variance in each cell of its Fourier transform."""
    draw = tf.function(lambda number: fmix.image(tf.stack([0, number]), 256, 64, 3.0, as_released))
    power = np.abs(np.fft.fft2([draw(number) for number in tf.range(images)])) ** 2
    power[:, 0, 0] = 0
    return np.mean(power / power.sum((1, 2), keepdims=True), 0)


def test_released_masks_vary_along_time_in_one_period_and_the_formulas_along_bands():
    """The released code's images have 99.6 % of their energy in one period along time; ours 99.7 %."""
    released, formula = energies(True), energies(False)
    assert released[0, 1] + released[0, -1] == pytest.approx(0.996, abs=0.003)
    assert formula[:, 0].sum() > 0.9 > 0.1 > formula[0].sum()


def test_the_largest_cells_by_hand():
    image = tf.constant([[3.0, 1], [2, 4]])
    for count, expected in ((0, [0, 0, 0, 0]), (2, [1, 0, 0, 1]), (3, [1, 0, 1, 1]), (4, [1, 1, 1, 1])):
        np.testing.assert_array_equal(np.ravel(fmix.largest(image, count)), expected)


def test_a_batch_has_one_mask_and_its_share_in_the_targets():
    clips, cells = 8, 32 * 20
    mel = tf.range(clips, dtype=tf.float32)[:, None, None, None] * tf.ones((1, 32, 20, 3))
    batch = {"mel": mel, "label": tf.eye(clips), "teacher": tf.eye(clips)}
    out = tf.function(lambda seed: fmix.apply(batch, seed, alpha=1.0, decay=3.0))(SEED)
    unchanged = out["mel"].numpy() == mel.numpy()
    share = float(out["share"][0, 0])
    moved = np.flatnonzero(~unchanged.all((1, 2, 3)))
    assert len(moved) > 1 and (unchanged[moved] == unchanged[moved[0]]).all()
    assert unchanged[moved[0], :, :, 0].sum() in (np.floor(share * cells), np.ceil(share * cells))
    np.testing.assert_array_equal(out["share"], [[np.float32(share), np.float32(1) - np.float32(share)]] * clips)
    for clip in moved:
        (other,) = set(out["mel"].numpy()[clip][~unchanged[clip]])
        assert float(out["label"][clip, int(other)]) == pytest.approx(1 - share, abs=1e-6)
        assert out["teacher"][clip, 1, int(other)] == 1


def test_batches_are_mixed_in_a_share_of_p():
    batch = {"mel": tf.random.stateless_normal((4, 8, 6, 1), SEED), "label": tf.eye(4)}
    run = tf.function(lambda number: fmix.apply(batch, tf.stack([5, number]), alpha=1.0, decay=3.0, p=0.4)["mel"])
    assert np.mean([np.any(run(n) != batch["mel"]) for n in tf.range(300)]) == pytest.approx(0.4, abs=0.1)


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match="fmix: alpha = -1"):
        fmix.apply({"mel": tf.ones((2, 4, 4, 1)), "label": tf.eye(2)}, SEED, alpha=-1.0, decay=3.0)
