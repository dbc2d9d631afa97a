"""The index of a prepared set: which segments it holds, and how they are read.

    index.npz       (readable files, 4) int64: position in the sorted list of files, segments, shard, first row there
    clips.csv       the same as text
    bad_clips.csv   file, reason: the files that cannot be read and are left out
    notes.csv       file, note: what was mended in other files or is unusual about them

Label, device, city and split stay in the listing: they may change while the audio does not.
"""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from asc_tf.data import audio
from asc_tf.data.prepared.shard_writer import HEADER_BYTES, ShardJob, read_record, shard_name
from asc_tf.errors import UserError
from asc_tf.runs import atomic, files

INDEX, CLIPS, BAD_CLIPS, NOTES = "index.npz", "clips.csv", "bad_clips.csv", "notes.csv"


@dataclass(frozen=True, eq=False)
class PreparedClips:
    """The segments of a listing's readable clips, ordered as the listing, then by time.

    Args:
        folder: Folder of the shards.
        samples: Samples in a segment.
        clip: (segments,) int64, position of the segment's clip in the listing.
        segment: (segments,) int64, number of the segment in its clip, from 0.
    """

    folder: Path
    samples: int
    clip: np.ndarray
    segment: np.ndarray
    _shard: np.ndarray
    _row: np.ndarray

    full_scale = float(audio.FULL_SCALE)  # of what `read` returns

    def __len__(self):
        return len(self.clip)

    def read(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Samples of some segments, in the order of `rows`; threads may call it at the same time.

        Read, not mapped: mapped pages count as the process's memory until the whole set is in it. A shard is open only
        while its rows are read, so the number of shards has no limit.

        Args:
            rows: (rows,) indices into `clip` and `segment`.

        Returns:
            (rows, samples) int16.

        Raises:
            UserError: A shard is shorter than the index states.
        """
        waves = np.empty((len(rows), self.samples), np.int16)
        for name, places in self._places(np.asarray(rows, np.int64)):
            path = self.folder / name
            with open(path, "rb", buffering=0) as file:
                for position, start in places:
                    if os.preadv(file.fileno(), [waves[position]], start) < 2 * self.samples:
                        raise UserError(f"{path}: ends too early; remove it and prepare again.")
        return waves

    def _places(self, rows):
        """(name of a shard, (position in rows, first byte in the shard) of each of its rows), shard by shard."""
        by_shard = np.argsort(self._shard[rows], kind="stable").tolist()
        for shard, positions in groupby(by_shard, key=lambda position: self._shard[rows[position]]):
            starts = ((at, HEADER_BYTES + 2 * self.samples * int(self._row[rows[at]])) for at in positions)
            yield shard_name(shard), starts


def load(folder: Path, order: np.ndarray, samples: int) -> PreparedClips:
    """Reads the index of a complete set.

    Args:
        folder: Folder of the set.
        order: (files,) position in the listing of each file of the sorted list.
        samples: Samples in a segment.

    Raises:
        UserError: The index is damaged.
    """
    try:
        columns = files.arrays((folder / INDEX).read_bytes())["columns"]
        if columns.dtype != np.int64 or columns.min(initial=0) < 0 or columns[:, 0].max(initial=0) >= len(order):
            raise ValueError("not the places of the files of this set")
        position, counts, shard, first_row = columns.T
    except files.DAMAGE as error:
        raise UserError(f"{folder / INDEX}: is damaged ({error}). Remove it: it is written again.") from error
    clip = order[position]
    rank = np.argsort(clip)
    counts = counts[rank]
    segment = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    clip, shard, first_row = (np.repeat(column[rank], counts) for column in (clip, shard, first_row))
    return PreparedClips(folder, samples, clip, segment, shard, first_row + segment)


def write_index(folder: Path, jobs: Iterable[ShardJob]) -> None:
    """Writes the tables of a set whose shards are complete; index.npz last, for its existence means complete.

    Args:
        folder: Folder of the set.
        jobs: All shards of the set.

    Raises:
        OSError: Writing fails.
    """
    rows = [row for job in jobs for row in _rows(job)]
    good = [(position, file, *row) for position, (file, _, *row) in enumerate(rows) if row[0]]
    _write_table(
        folder / BAD_CLIPS, ("file", "reason"), [(file, notes[0]) for file, notes, count, *_ in rows if not count]
    )
    noted = [(file, note) for file, notes, count, *_ in rows if count for note in notes]
    _write_table(folder / NOTES, ("file", "note"), noted)
    _write_table(folder / CLIPS, ("file", "segments", "shard", "first_row"), [row[1:] for row in good])
    columns = [(position, segments, shard, first_row) for position, _, segments, shard, first_row in good]
    index = np.array(columns, np.int64).reshape(-1, 4)
    atomic.write(folder / INDEX, files.packed({"columns": index}))


def bad_clips(folder: Path) -> list[tuple[str, str]]:
    """(file, reason) of each file that is left out of the set in `folder`."""
    return _read_table(folder / BAD_CLIPS)


def notes(folder: Path) -> list[tuple[str, str]]:
    """(file, note) of each note on a file of the set in `folder`."""
    return _read_table(folder / NOTES)


def _rows(job):
    """(file, notes, number of segments, shard, first row) of each file of a shard."""
    first_row = 0
    for file, record in zip(job.files, read_record(job), strict=True):
        yield file, record.notes, record.segments, job.number, first_row
        first_row += record.segments


def _read_table(path):
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as lines:
        return [tuple(row) for row in csv.reader(lines)][1:]


def _write_table(path, header, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    atomic.write(path, text.getvalue().encode(errors="surrogateescape"))
