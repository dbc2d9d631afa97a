"""Which segments does a prepared set hold, and how are they read?

    index.npz       a row for each readable file: its place in the sorted list of files, segments, shard, first row
    clips.csv       the same for people
    bad_clips.csv   file, reason: what could not be read and is left out
Label, device, city and split stay in the listing: they may change while the sound does not.
"""

import csv
import io
import os
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from asc_tf.data.prepared.shard_writer import HEADER_BYTES, recorded, shard_name, whole_file
from asc_tf.errors import UserError

INDEX, CLIPS, BAD_CLIPS = "index.npz", "clips.csv", "bad_clips.csv"


@dataclass(frozen=True, eq=False)
class Prepared:
    """The segments of a listing's readable clips, in the order of the listing, then of time.

    folder:   where the shards lie.
    samples:  samples a segment.
    clip:     (segments,) int64, position in the listing's clips.
    segment:  (segments,) int64, 0 for the first piece of a clip.
    """

    folder: Path
    samples: int
    clip: np.ndarray
    segment: np.ndarray
    _shard: np.ndarray
    _row: np.ndarray

    def __len__(self):
        return len(self.clip)

    def read(self, rows):
        """The sound of some rows, in their order: (rows,) becomes (rows, samples) int16.  Threads may share it.

        Read, not mapped: mapped pages count as the process's memory until the whole set is in it.  A shard is
        open only while its rows are read, so their number does not matter.
        """
        rows = np.asarray(rows, np.int64)
        waves = np.empty((len(rows), self.samples), np.int16)
        by_shard = np.argsort(self._shard[rows], kind="stable").tolist()
        for shard, places in groupby(by_shard, key=lambda place: self._shard[rows[place]]):
            path = self.folder / shard_name(shard)
            with open(path, "rb", buffering=0) as file:
                for place in places:
                    start = HEADER_BYTES + 2 * self.samples * int(self._row[rows[place]])
                    if os.preadv(file.fileno(), [waves[place]], start) < 2 * self.samples:
                        raise UserError(f"{path}: ends too early; remove it and prepare again.")
        return waves


def load(folder, order, samples):
    """Prepared, its clips numbered as in the listing.

    order: (files,) position in the listing of each file of the sorted list, which the index counts by.
    """
    with np.load(folder / INDEX, allow_pickle=False) as index:
        position, counts, shard, first = index["columns"].T
    in_listing = order[position]
    rank = np.argsort(in_listing)
    counts = counts[rank]
    segment = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    clip, shard, first = (np.repeat(column[rank], counts) for column in (in_listing, shard, first))
    return Prepared(folder, samples, clip, segment, shard, first + segment)


def write_index(folder, jobs):
    """The tables of a set whose shards are all there; index.npz last, for its existence means complete."""
    rows = [row for job in jobs for row in _rows(job)]
    bad = [(file, reason) for file, reason, _, _ in rows if isinstance(reason, str)]
    good = [(position, *row) for position, row in enumerate(rows) if not isinstance(row[1], str)]
    _write_table(folder / BAD_CLIPS, ("file", "reason"), bad)
    _write_table(folder / CLIPS, ("file", "segments", "shard", "first_row"), [row[1:] for row in good])
    columns = [(position, segments, shard, first) for position, _, segments, shard, first in good]
    with whole_file(folder / INDEX) as out:
        np.savez(out, columns=np.array(columns, np.int64).reshape(-1, 4))


def bad_clips(folder):
    """(file, reason) of each file that was left out."""
    with open(folder / BAD_CLIPS, newline="", encoding="utf-8", errors="surrogateescape") as lines:
        return [tuple(row) for row in csv.reader(lines)][1:]


def _rows(job):
    """(file, its segments or the reason why it has none, shard, first row) of each file of a shard."""
    first = 0
    for file, found in zip(job.files, recorded(job), strict=True):
        yield file, found, job.number, first
        first += 0 if isinstance(found, str) else found


def _write_table(path, header, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    with whole_file(path) as out:
        out.write(text.getvalue().encode(errors="surrogateescape"))
