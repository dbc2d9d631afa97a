"""Crops of a segment: windows of its length, a little earlier or later in the same file.

Of n crops, number i = 0 ... n - 1 is shifted by (2 i + 1 - n) / (2 n) segments: evenly in (-1/2, 1/2), and a single
crop not at all. A crop reaches into the neighbouring segment, or stops where the file begins or ends; in a file of one
segment it rolls around.
"""

from collections.abc import Callable

import numpy as np

from asc_tf.data.direct import DirectClips
from asc_tf.data.prepared.index import PreparedClips


def shifts(crops: int, samples: int) -> list[int]:
    """Shifts of the crops of a segment, in whole samples; positive is later.

    Args:
        crops: Number of crops, at least 1.
        samples: Samples in a segment.
    """
    return [round((2 * number + 1 - crops) / (2 * crops) * samples) for number in range(crops)]


def shifted(prepared: PreparedClips | DirectClips, shift: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function like `PreparedClips.read`, (rows,) to (rows, samples), of windows that are shifted.

    Args:
        prepared: The clips.
        shift: Samples by which the windows are later, at most half a segment either way.
    """
    if not shift:
        return prepared.read

    def read(rows):
        rows = np.asarray(rows, np.int64)
        before, after = (_neighbours(prepared, rows, step) for step in (-1, 1))
        neighbours, alone = (after if shift > 0 else before), (before == rows) & (after == rows)
        here, there = prepared.read(rows), prepared.read(neighbours)  # (rows, samples)
        early, late = (here, there) if shift > 0 else (there, here)
        windows = np.concatenate([early[:, shift:], late[:, :shift]], axis=1)
        return np.where(((neighbours != rows) | alone)[:, None], windows, here)

    return read


def _neighbours(prepared, rows, step):
    """Rows of the segments before (-1) or after (1) in the same file; the rows themselves where there is none."""
    neighbours = np.clip(rows + step, 0, len(prepared) - 1)
    return np.where(prepared.clip[neighbours] == prepared.clip[rows], neighbours, rows)
