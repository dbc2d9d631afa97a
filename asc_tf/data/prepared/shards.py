"""Prepares the clips of a listing: decoded and resampled once, stored as shards of int16.

A prepared set is a folder named by its key (see cache_key). It holds shards (see shard_writer) and, once all are
complete, an index (see index). Preparing can be killed at any time: the next call writes only what is missing.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from asc_tf.data.datasets.listing import Listing
from asc_tf.data.lock import locked
from asc_tf.data.prepared import cache_key, index, report
from asc_tf.data.prepared.index import PreparedClips
from asc_tf.data.prepared.shard_writer import ShardJob, read_record, write_shard
from asc_tf.data.progress import progress_bar
from asc_tf.data.worker_pool import run_jobs
from asc_tf.errors import UserError
from asc_tf.runs import atomic

_FORMAT = 2  # 1: files were read to the length that their headers state
# Shards of 512 one-second clips are 33 MB at 32 kHz; small sets have smaller shards, so that all workers are busy.
_MAX_FILES_PER_SHARD, _MIN_FILES_PER_SHARD, _SHARDS_AT_LEAST = 512, 8, 64
# Less than this is done in one process before workers would have started.
_FEW_FILES, _FEW_BYTES = 64, 100_000_000


def prepare(
    listing: Listing,
    *,
    folder: Path | str,
    sample_rate_hz: int,
    segment_s: float = 1.0,
    max_bad_share: float = 0.01,
    workers: int | None = None,
    quiet: bool = False,
    thorough: bool = True,
) -> PreparedClips:
    """The prepared clips of a listing; what is missing is prepared first.

    A second call at the same time waits for the first.

    Args:
        listing: The clips.
        folder: Folder of all prepared sets.
        sample_rate_hz: Rate that the clips are resampled to.
        segment_s: Length in seconds of the segments that clips are cut into (see audio.cut).
        max_bad_share: Share of the files that may be unreadable, 0 to 1; these are reported and left out.
        workers: Processes; None for one a processor, 1 for this process alone.
        quiet: Whether to leave out the progress bar and the summary.
        thorough: Whether to look at every file for a change; else at the folders of a large set (see cache_key).

    Raises:
        UserError: A file is listed twice or absent, too many files are unreadable, or the folder cannot be written.
    """
    one = prepared_set(listing, folder=folder, sample_rate_hz=sample_rate_hz, segment_s=segment_s, thorough=thorough)
    return one.prepare(max_bad_share=max_bad_share, workers=workers, quiet=quiet)


def prepared_set(
    listing: Listing, *, folder: Path | str, sample_rate_hz: int, segment_s: float = 1.0, thorough: bool = False
) -> "PreparedSet":
    """The prepared set of a listing, complete or not; nothing is written.

    Args:
        listing: The clips.
        folder: As of `prepare`, like the others.
        sample_rate_hz: Rate that the clips are resampled to.
        segment_s: Length in seconds of the segments.
        thorough: Whether to look at every file for a change.

    Raises:
        UserError: A file is listed twice or absent.
    """
    order = sorted(range(len(listing)), key=listing.file.__getitem__)
    names = [listing.file[position] for position in order]
    _check_names(listing.root, names)
    settings = f"{_FORMAT}\n{listing.root.resolve()}\n{sample_rate_hz}\n{float(segment_s)}"
    folder = Path(folder).expanduser()
    key_file = cache_key.stored_key_file(folder, listing.root, names, settings)
    key = (not thorough and cache_key.read_stored(key_file)) or cache_key.compute(listing.root, names, settings)
    jobs = _jobs(folder / key, listing.root, names, sample_rate_hz, segment_s)
    return PreparedSet(folder / key, tuple(order), key_file, jobs)


@dataclass(frozen=True)
class PreparedSet:
    """A prepared set, complete or not.

    Args:
        folder: Its folder, which may not exist yet.
        order: (files,) position in the listing of each file of the sorted list.
        key_file: File of its stored key; None for a small set.
        jobs: Its shards.
    """

    folder: Path
    order: Sequence[int]
    key_file: Path | None
    jobs: Sequence[ShardJob]

    @property
    def complete(self) -> bool:
        """Whether all clips are prepared."""
        return (self.folder / index.INDEX).exists() and all(read_record(job) is not None for job in self.jobs)

    def prepare(self, *, max_bad_share: float, workers: int | None = None, quiet: bool = False) -> PreparedClips:
        """The clips of the set; what is missing is prepared first.

        Args:
            max_bad_share: As of the function `prepare`, like the others.
            workers: Processes.
            quiet: Whether to leave out the progress bar and the summary.

        Raises:
            UserError: Too many files are unreadable, or the folder cannot be written.
        """
        try:
            if not self.complete:
                _write_missing(self.folder, self.jobs, workers, quiet)
            cache_key.store(self.key_file, self.folder.name)
            return self.load(max_bad_share=max_bad_share, quiet=quiet)
        except OSError as error:
            raise UserError(
                f"{self.folder}: prepared clips cannot be written here ({error.strerror or error}). "
                "Mend the folder or free some space, or set data.prepared_folder to another folder."
            ) from error

    def load(self, *, max_bad_share: float, quiet: bool = False) -> PreparedClips:
        """The clips of a complete set from its tables; its shards are not looked at.

        Args:
            max_bad_share: As of the function `prepare`.
            quiet: Whether to leave out the summary.

        Raises:
            UserError: Too many files are unreadable.
            OSError: The tables cannot be read.
        """
        listed = f" All are listed in {self.folder / index.BAD_CLIPS}."
        bad = index.bad_clips(self.folder)
        report.check_bad(bad, len(self.order), max_bad_share, listed, quiet=quiet, program="prepare")
        if not quiet:
            report.print_notes(index.notes(self.folder), self.folder / index.NOTES)
        return index.load(self.folder, np.array(self.order), self.jobs[0].samples)


def _check_names(root, names):
    if not names:
        raise UserError(f"{root}: the listing has no clips.")
    if len(set(names)) < len(names):
        twice = next(name for name, following in pairwise(names) if name == following)
        raise UserError(f"{root}: '{twice}' is listed twice; keep one row.")


def _jobs(target, root, names, sample_rate_hz, segment_s):
    files = min(_MAX_FILES_PER_SHARD, max(_MIN_FILES_PER_SHARD, len(names) // _SHARDS_AT_LEAST))
    return [
        ShardJob(number, target, root, tuple(names[start : start + files]), sample_rate_hz, segment_s)
        for number, start in enumerate(range(0, len(names), files))
    ]


def _write_missing(target, jobs, workers, quiet):
    target.mkdir(parents=True, exist_ok=True)
    with locked(target, quiet=quiet):
        atomic.remove_unfinished(target)
        try:
            _write_missing_shards(jobs, workers, quiet)
        finally:
            atomic.remove_unfinished(target)
        index.write_index(target, jobs)


def _write_missing_shards(jobs, workers, quiet):
    missing = [job for job in jobs if read_record(job) is None]
    total, left = (sum(len(job.files) for job in some) for some in (jobs, missing))
    if left < _FEW_FILES and sum(map(_bytes, missing)) < _FEW_BYTES:
        workers = 1
    bar = progress_bar("prepare", total=total, initial=total - left, unit=" files", disable=quiet or not left)
    with bar:
        run_jobs(
            write_shard,
            missing,
            workers=workers or os.cpu_count(),
            name="prepare",
            on_done=lambda job: bar.update(len(job.files)),
        )


def _bytes(job):
    return sum(os.path.getsize(job.root / file) for file in job.files)
