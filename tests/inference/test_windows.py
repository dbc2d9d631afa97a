"""Windows cut from blocks are those of the whole sound."""

import numpy as np
import pytest

from asc_tf.data import audio
from asc_tf.errors import UserError
from asc_tf.inference import windows

SOUND = np.arange(1, 101, dtype=np.float32)


def cut(samples, sizes, length, hop):
    blocks = np.split(samples, np.cumsum(sizes))
    return np.array(list(windows.windows(blocks, length, hop)))


@pytest.mark.parametrize("samples", [1, 4, 5, 10, 14, 15, 16, 25, 99, 100])
def test_windows_that_follow_each_other_are_the_segments(samples):
    for sizes in ([], [1, 2, 3], [7, 7, 0, 40], [50]):
        np.testing.assert_array_equal(cut(SOUND[:samples], sizes, 10, 10), audio.cut(SOUND[:samples], 10, 1.0))


@pytest.mark.parametrize("hop", [1, 3, 4, 10, 17, 60])
def test_windows_at_any_hop_are_slices_of_the_sound(hop):
    samples = 41
    starts = [start for start in range(0, samples, hop) if samples - start >= 5]  # half a window
    expected = [np.pad(SOUND[:samples], (0, 10))[start : start + 10] for start in starts]
    for sizes in ([], [3, 30], [9, 1, 1, 20]):
        np.testing.assert_array_equal(cut(SOUND[:samples], sizes, 10, hop), expected)


def test_of_a_long_sound_a_block_and_a_window_are_held():
    blocks = (np.zeros(100, np.float32) for _ in range(1000))
    assert max(len(window.base) for window in windows.windows(blocks, 30, 10) if window.base is not None) <= 130


@pytest.mark.parametrize("hop_s", [0.0, -1.0, float("nan"), 1e4])
def test_a_hop_out_of_range_is_refused(hop_s):
    with pytest.raises(UserError, match="hop_s = .* must be from 0.01 to 3600 seconds"):
        windows.sizes(8000, 1.0, hop_s)


def test_items_are_made_ahead_in_order_and_an_error_comes_in_its_place():
    def items():
        yield from "abc"
        raise UserError("the fourth")

    seen = []
    with pytest.raises(UserError, match="the fourth"):
        seen.extend(windows.ahead(items()))
    assert seen == ["a", "b", "c"] and list(windows.ahead(iter("abc"))) == ["a", "b", "c"]
    assert list(windows.grouped(iter("abcde"), 2)) == [["a", "b"], ["c", "d"], ["e"]]
