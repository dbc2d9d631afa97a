"""What is heard around a segment? Windows of its length, a little earlier or later in the same file.

Of n crops, number i = 0 ... n - 1 is shifted by (2 i + 1 - n) / (2 n) segments: evenly in (-1/2, 1/2), one crop not at
all. It reaches into the neighbouring segment, or is held where the file begins or ends; the segment of a file that
has no other rolls around itself.
"""

import numpy as np


def shifts(crops, samples):
    """(crops,) whole samples by which the crops of a segment of `samples` are later than itself."""
    return [round((2 * number + 1 - crops) / (2 * crops) * samples) for number in range(crops)]


def shifted(prepared, shift):
    """A function of rows that reads as Prepared.read, but windows `shift` samples later, at most half a segment."""
    if not shift:
        return prepared.read

    def read(rows):
        rows = np.asarray(rows, np.int64)
        before, after = (_in_its_file(prepared, rows, step) for step in (-1, 1))
        beside, alone = (after if shift > 0 else before), (before == rows) & (after == rows)
        own, other = prepared.read(rows), prepared.read(beside)
        early, late = (own, other) if shift > 0 else (other, own)
        moved = np.concatenate([early[:, shift:], late[:, :shift]], axis=1)
        return np.where(((beside != rows) | alone)[:, None], moved, own)

    return read


def _in_its_file(prepared, rows, step):
    """The rows of the segments before (-1) or after (1), or the same where the file has none."""
    beside = np.clip(rows + step, 0, len(prepared) - 1)
    return np.where(prepared.clip[beside] == prepared.clip[rows], beside, rows)
