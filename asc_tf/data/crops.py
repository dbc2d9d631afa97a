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
    return (lambda rows: windows(prepared, rows, np.full(len(rows), shift))) if shift else prepared.read


def windows(prepared: PreparedClips | DirectClips, rows: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Windows of segments, each shifted by a number of samples of its own.

    Args:
        prepared: The clips.
        rows: (windows,) rows of the segments.
        shifts: (windows,) samples by which a window is later, at most a segment either way.

    Returns:
        (windows, samples), of the type that `prepared` reads.
    """
    rows, later = np.asarray(rows, np.int64), shifts > 0
    before, after = (_neighbours(prepared, rows, step) for step in (-1, 1))
    neighbours, alone = np.where(later, after, before), (before == rows) & (after == rows)
    here, there = prepared.read(rows), prepared.read(neighbours)  # (windows, samples)
    early, late = np.where(later[:, None], here, there), np.where(later[:, None], there, here)
    samples = here.shape[1]
    starts = np.where(later, shifts, samples + shifts)
    both = np.concatenate([early, late], axis=1)
    moved = np.take_along_axis(both, starts[:, None] + np.arange(samples), axis=1)
    return np.where(((neighbours != rows) | alone)[:, None], moved, here)


def _neighbours(prepared, rows, step):
    """Rows of the segments before (-1) or after (1) in the same file; the rows themselves where there is none."""
    neighbours = np.clip(rows + step, 0, len(prepared) - 1)
    return np.where(prepared.clip[neighbours] == prepared.clip[rows], neighbours, rows)
