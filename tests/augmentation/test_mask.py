import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import _mask, freq_mask, time_mask
from asc_tf.errors import UserError

SEED = tf.constant([3, 4])


@pytest.mark.parametrize("axis", [_mask.BANDS, _mask.FRAMES])
def test_masks_by_hand(axis):
    start, width = tf.constant([[1.0, 3], [0, 0]]), tf.constant([[2.0, 1], [0, 5]])
    masked = _mask.mask(tf.ones((2, 5, 5, 2)), start, width, axis=axis, fill=-3.0).numpy()
    rows = np.moveaxis(masked, axis, -1)[:, 0]  # (clip, channel, cell)
    np.testing.assert_array_equal(rows[0], [[1, -3, -3, 1, 1], [1, 1, 1, -3, 1]])
    np.testing.assert_array_equal(rows[1], [[1] * 5, [-3] * 5])
    assert (masked == np.take(masked, [0], 3 - axis)).all()


def hidden(part, clips=5000, channels=1, **settings):
    """(clips, 64, channels) bool: which of 64 bands or frames are masked."""
    shape = (clips, 64, 1, channels) if part is freq_mask else (clips, 1, 64, channels)
    return np.reshape(part.apply({"mel": tf.zeros(shape)}, SEED, fill=1.0, **settings)["mel"], (clips, 64, channels))


@pytest.mark.parametrize(("part", "name"), [(freq_mask, "max_bands"), (time_mask, "max_frames")])
def test_widths_and_starts_are_distributed_as_in_torchaudio(part, name):
    """Independent transcription of mask_along_axis_iid; floor of a draw below the maximum, so never 8 wide."""
    masks = hidden(part, clips=20000, **{name: 8})[..., 0]
    counts = np.bincount(masks.sum(1).astype(int), minlength=9)
    assert counts[8] == 0
    np.testing.assert_allclose(counts[:8] / len(masks), 1 / 8, atol=0.01)
    rng = np.random.default_rng(0)
    value = rng.uniform(0, 8, 400000)
    start = np.floor(rng.uniform(0, 64 - value))
    cell = np.arange(64)[:, None]
    expected = ((cell >= start) & (cell < start + np.floor(value))).mean(1)
    np.testing.assert_allclose(masks.mean(0), expected, atol=0.006)


@pytest.mark.parametrize(("each", "masks"), [("channel", 90), ("clip", 30), ("batch", 1)])
def test_every_channel_or_clip_or_batch_draws_one_mask(each, masks):
    rows = np.moveaxis(hidden(freq_mask, clips=30, channels=3, max_bands=48, each=each), -1, 1).reshape(90, 64)
    assert 0.75 * masks <= len(np.unique(rows, axis=0)) <= masks  # of 90 draws some are equal
    assert each == "channel" or (rows[0::3] == rows[1::3]).all()


def test_a_share_of_p_is_masked():
    everything, share = (hidden(freq_mask, max_bands=64, p=p).any(1).mean() for p in (1.0, 0.3))
    assert everything == pytest.approx(63 / 64, abs=0.01) and share == pytest.approx(0.3 * 63 / 64, abs=0.02)


def test_masks_wider_than_the_axis_are_refused():
    with pytest.raises(UserError, match="freq_mask: max_bands = 65 must be from 0 to the 64 bands"):
        freq_mask.apply({"mel": tf.zeros((1, 64, 9, 1))}, SEED, max_bands=65, fill=1.0)
    with pytest.raises(UserError, match="time_mask: max_frames = 10 must be from 0 to the 9 frames"):
        time_mask.apply({"mel": tf.zeros((1, 64, 9, 1))}, SEED, max_frames=10, fill=1.0)
