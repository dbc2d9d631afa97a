"""Where do a listing's prepared clips lie, and which are missing still?

A prepared set is a folder named by a key of its files (name, size, time of change), rate and segment
length: a changed file or another list makes another set, a new split of the same files does not. It
holds shards (see shard_writer) and, once all are there, an index (see prepared).
"""

import hashlib
import os
import sys
from collections import Counter
from pathlib import Path

from asc_tf.data import prepared, shard_pool
from asc_tf.data.prepared import Prepared
from asc_tf.data.shard_writer import Job, recorded
from asc_tf.errors import UserError

_FORMAT = 1
# Shards of 512 one-second clips are 33 MB at 32 kHz; small sets make smaller ones, to keep all workers busy.
_MOST_FILES_A_SHARD, _LEAST_FILES_A_SHARD, _SHARDS_WANTED = 512, 8, 64


def prepare(
    listing, *, folder, sample_rate_hz, segment_s=1.0, max_bad_share=0.01, workers=None, quiet=False
) -> Prepared:
    """The listing's clips as Prepared, made where they are not yet.

    folder:        keeps the prepared sets, each below its key.
    segment_s:     clips are cut into pieces of so many seconds (see audio.cut).
    max_bad_share: of the files; more that cannot be read are an error, fewer are reported and left out.
    workers:       processes, as many as processors by default; 1 works in this process.
    quiet:         no progress bar, no summary.
    Can be killed at any time: the next call goes on.  A second call at the same time waits for the first.
    Raises UserError for a file listed twice or absent, too many bad files, a folder that cannot be written.
    """
    names = _sorted_names(listing)
    sizes, key = _sizes_and_key(listing.root, names, sample_rate_hz, segment_s)
    target = Path(folder).expanduser() / key
    jobs = _jobs(target, listing.root, names, sample_rate_hz, segment_s)
    try:
        if not _complete(target, jobs):
            _complete_it(target, jobs, sizes, workers, quiet)
        bad = prepared.bad_clips(target)
    except OSError as error:
        raise UserError(
            f"{target}: prepared clips cannot be written here ({error.strerror or error}). "
            "Mend the folder or free some space, or set data.prepared_folder to another place."
        ) from error
    _judge(bad, len(names), max_bad_share, target / prepared.BAD_CLIPS, quiet)
    return prepared.load(target, listing, names, jobs[0].samples)


def _sorted_names(listing):
    names = sorted(clip.file for clip in listing.clips)
    if not names:
        raise UserError(f"{listing.root}: the listing has no clips.")
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise UserError(f"{listing.root}: '{twice}' is listed twice; keep one row.")
    return names


def _sizes_and_key(root, names, sample_rate_hz, segment_s):
    """(size of each file in bytes, the set's name)."""
    root = str(root.resolve())
    sizes, lines = [], [f"{_FORMAT}\n{root}\n{sample_rate_hz}\n{float(segment_s)}"]
    for name in names:
        try:
            state = os.stat(f"{root}/{name}")
        except OSError as error:
            raise UserError(f"{root}/{name}: cannot be found ({error.strerror}).") from error
        sizes.append(state.st_size)
        lines.append(f"{name}\t{state.st_size}\t{state.st_mtime_ns}")
    return sizes, hashlib.blake2b("\n".join(lines).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _jobs(target, root, names, sample_rate_hz, segment_s):
    each = min(_MOST_FILES_A_SHARD, max(_LEAST_FILES_A_SHARD, len(names) // _SHARDS_WANTED))
    return [
        Job(number, target, root, tuple(names[start : start + each]), sample_rate_hz, segment_s)
        for number, start in enumerate(range(0, len(names), each))
    ]


def _complete(target, jobs):
    return (target / prepared.INDEX).exists() and all(recorded(job) is not None for job in jobs)


def _complete_it(target, jobs, sizes, workers, quiet):
    target.mkdir(parents=True, exist_ok=True)
    with shard_pool.alone(target, quiet=quiet):
        shard_pool.make_missing(target, jobs, sizes, workers=workers, quiet=quiet)
        prepared.write_index(target, jobs)


def _judge(bad, files, max_bad_share, report, quiet):
    if not bad:
        return
    (first, reason), share = bad[0], len(bad) / files
    found = f"{len(bad)} of {files} file(s) cannot be read ({share:.1%}), the first is '{first}': {reason}"
    if len(bad) == files:
        raise UserError(f"{found}. No clip is left; all are listed in {report}.")
    if share > max_bad_share:
        fix = f"Mend them, or raise data.max_bad_share = {max_bad_share}"
        raise UserError(f"{found}. All are listed in {report}. {fix}.")
    if not quiet:
        print(f"prepare: {found}; left out, all are listed in {report}", file=sys.stderr)
