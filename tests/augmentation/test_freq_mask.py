import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import freq_mask
from asc_tf.errors import UserError


def test_by_hand():
    masked = freq_mask.mask(tf.ones((2, 5, 2, 1)), tf.constant([1.0, 0]), tf.constant([2.0, 0]), -3.0)
    np.testing.assert_array_equal(masked[0, :, 0, 0], [1, -3, -3, 1, 1])
    np.testing.assert_array_equal(masked[1], np.ones((5, 2, 1)))


def test_widths_are_uniform_and_every_clip_has_its_own():
    masked = freq_mask.apply({"mel": tf.zeros((5000, 64, 1, 1))}, tf.constant([3, 4]), max_bands=8, fill=1.0)["mel"]
    widths = np.asarray(masked[..., 0, 0]).sum(1)
    counts = np.bincount(widths.astype(int), minlength=9)
    assert counts[8] == 0  # torchaudio: floor of a draw below the maximum
    np.testing.assert_allclose(counts[:8] / 5000, 1 / 8, atol=0.02)


def test_more_bands_than_there_are_is_refused():
    with pytest.raises(UserError, match="max_bands = 65 must be from 0 to the 64 bands"):
        freq_mask.apply({"mel": tf.zeros((1, 64, 1, 1))}, tf.constant([3, 4]), max_bands=65, fill=1.0)
