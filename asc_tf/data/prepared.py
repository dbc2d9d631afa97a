"""Which segments does a prepared set hold, and how are they read?

    index.npz       a row for each readable file: its place in the sorted list of files, segments, shard, first row
    clips.csv       the same for people
    bad_clips.csv   file, reason: what could not be read and is left out
Label, device, city and split stay in the listing: they may change while the sound does not.
"""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asc_tf.data.shard_writer import recorded, whole_file

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
    _maps: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.clip)

    def read(self, rows):
        """The sound of some rows, in their order: (rows,) becomes (rows, samples) int16.  Threads may share it."""
        rows = np.asarray(rows, np.int64)
        waves = np.empty((len(rows), self.samples), np.int16)
        for wave, shard, row in zip(waves, self._shard[rows].tolist(), self._row[rows].tolist(), strict=True):
            wave[:] = self._map(shard)[row]
        return waves

    def _map(self, shard):
        if shard not in self._maps:
            # Two threads may open the same shard at once; either map serves.
            self._maps[shard] = np.asarray(np.load(self.folder / f"shard-{shard:05d}.npy", mmap_mode="r"))
        return self._maps[shard]


def load(folder, listing, names, samples):
    """Prepared, its clips numbered as in the listing.  names: the sorted files that the index counts by."""
    with np.load(folder / INDEX, allow_pickle=False) as index:
        position, counts, shard, first = index["columns"].T
    place = {file: number for number, file in enumerate(names)}
    in_listing = np.empty(len(names), np.int64)
    in_listing[[place[clip.file] for clip in listing.clips]] = np.arange(len(names))
    order = np.argsort(in_listing[position])
    counts = counts[order]
    segment = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    clip, shard, first = (np.repeat(column[order], counts) for column in (in_listing[position], shard, first))
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
