"""Where do a listing's prepared clips lie, and which are missing still?

A prepared set is a folder named by its key (see set_key). It holds shards (see shard_writer) and, once all
are there, an index (see prepared).
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from asc_tf.data.prepared import cache_key as set_key
from asc_tf.data.prepared import index as prepared
from asc_tf.data.prepared import workers as shard_pool
from asc_tf.data.prepared.index import Prepared
from asc_tf.data.prepared.shard_writer import Job, recorded
from asc_tf.errors import UserError

_FORMAT = 1
# Shards of 512 one-second clips are 33 MB at 32 kHz; small sets make smaller ones, to keep all workers busy.
_MOST_FILES_A_SHARD, _LEAST_FILES_A_SHARD, _SHARDS_WANTED = 512, 8, 64


def prepare(
    listing,
    *,
    folder,
    sample_rate_hz,
    segment_s=1.0,
    max_bad_share=0.01,
    workers=None,
    quiet=False,
    thorough=True,
) -> Prepared:
    """The listing's clips as Prepared, made where they are not yet.

    folder:        keeps the prepared sets, each below its key.
    segment_s:     clips are cut into pieces of so many seconds (see audio.cut).
    max_bad_share: of the files; more that cannot be read are an error, fewer are reported and left out.
    workers:       processes, as many as processors by default; 1 works in this process.
    quiet:         no progress bar, no summary.
    thorough:      looks at every file for a change; else a large set's folders have to do (see set_key).
    Can be killed at any time: the next call goes on.  A second call at the same time waits for the first.
    Raises UserError for a file listed twice or absent, too many bad files, a folder that cannot be written.
    """
    order = sorted(range(len(listing)), key=listing.file.__getitem__)
    names = [listing.file[position] for position in order]
    _check_names(listing.root, names)
    settings = f"{_FORMAT}\n{listing.root.resolve()}\n{sample_rate_hz}\n{float(segment_s)}"
    folder = Path(folder).expanduser()
    memory = set_key.memory(folder, listing.root, names, settings)
    key = (not thorough and set_key.recall(memory)) or set_key.looked_at(listing.root, names, settings)
    target = folder / key
    jobs = _jobs(target, listing.root, names, sample_rate_hz, segment_s)
    try:
        if not _complete(target, jobs):
            _complete_it(target, jobs, workers, quiet)
        set_key.remember(memory, key)
        bad = prepared.bad_clips(target)
    except OSError as error:
        raise UserError(
            f"{target}: prepared clips cannot be written here ({error.strerror or error}). "
            "Mend the folder or free some space, or set data.prepared_folder to another place."
        ) from error
    _judge(bad, len(names), max_bad_share, target / prepared.BAD_CLIPS, quiet)
    return prepared.load(target, np.array(order), jobs[0].samples)


def _check_names(root, names):
    if not names:
        raise UserError(f"{root}: the listing has no clips.")
    if len(set(names)) < len(names):
        twice = next(name for name, following in pairwise(names) if name == following)
        raise UserError(f"{root}: '{twice}' is listed twice; keep one row.")


def _jobs(target, root, names, sample_rate_hz, segment_s):
    each = min(_MOST_FILES_A_SHARD, max(_LEAST_FILES_A_SHARD, len(names) // _SHARDS_WANTED))
    return [
        Job(number, target, root, tuple(names[start : start + each]), sample_rate_hz, segment_s)
        for number, start in enumerate(range(0, len(names), each))
    ]


def _complete(target, jobs):
    return (target / prepared.INDEX).exists() and all(recorded(job) is not None for job in jobs)


def _complete_it(target, jobs, workers, quiet):
    target.mkdir(parents=True, exist_ok=True)
    with shard_pool.alone(target, quiet=quiet):
        shard_pool.make_missing(target, jobs, workers=workers, quiet=quiet)
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
