from types import SimpleNamespace

import numpy as np
import pytest

from asc_tf.data import crops


class FakePreparedClips(SimpleNamespace):
    """Three files of three, one and two segments of four samples: 0, 1, ... 23."""

    def __init__(self):
        super().__init__(clip=np.array([7, 7, 7, 4, 5, 5]))
        self.read = lambda rows: np.arange(24, dtype=np.int16).reshape(6, 4)[rows]

    def __len__(self):
        return len(self.clip)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [0]), (2, [-24, 24]), (3, [-32, 0, 32]), (4, [-36, -12, 12, 36]), (48, range(-47, 48, 2))],
)
def test_crops_are_evenly_spaced_within_half_a_segment(count, expected):
    assert crops.shifts(count, 96) == list(expected)


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        # into the next segment; stopped at the end of the file; a file of one segment rolls
        (1, [[1, 2, 3, 4], [5, 6, 7, 8], [8, 9, 10, 11], [13, 14, 15, 12], [17, 18, 19, 20], [20, 21, 22, 23]]),
        (-2, [[0, 1, 2, 3], [2, 3, 4, 5], [6, 7, 8, 9], [14, 15, 12, 13], [16, 17, 18, 19], [18, 19, 20, 21]]),
        (0, np.arange(24).reshape(6, 4)),
    ],
)
def test_shifted_windows_equal_a_hand_calculation(shift, expected):
    read = crops.shifted(FakePreparedClips(), shift)
    np.testing.assert_array_equal(read(np.arange(6)), expected)
    np.testing.assert_array_equal(read(np.array([3, 0])), np.array(expected)[[3, 0]])
    assert read(np.arange(6)).dtype == np.int16


def test_every_window_has_its_own_shift():
    rows, shifts = np.array([0, 2, 2, 3, 5, 4]), np.array([1, -2, 1, -1, 0, -4])
    expected = [[1, 2, 3, 4], [6, 7, 8, 9], [8, 9, 10, 11], [15, 12, 13, 14], [20, 21, 22, 23], [16, 17, 18, 19]]
    np.testing.assert_array_equal(crops.windows(FakePreparedClips(), rows, shifts), expected)
