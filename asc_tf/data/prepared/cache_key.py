"""By which key is the prepared set of some files known?

The key is made of the files (name, size, time of change), rate and segment length: a changed file or another list
has another key, a new split of the same files has not.

To look at 230,350 files takes a second or more, so the key of a large set is remembered: NAME.seen holds it, where
NAME is made of the list and of the folders' times of change.  A file added, removed or moved to a folder changes the
folder's time; one rewritten in place does not, which only a look at every file sees.
"""

import hashlib
import os
import stat
from itertools import repeat

from asc_tf.data.prepared.shard_writer import whole_file
from asc_tf.errors import UserError

LARGE = 10_000  # files, which are looked at in less than 0.1 s


def looked_at(root, names, settings):
    """The key, after a look at every file.  Raises UserError for files that are absent."""
    absent, lines = [], [settings]
    for name in names:
        try:
            state = os.stat(f"{root}/{name}")
        except OSError:
            state = None
        if state is None or not stat.S_ISREG(state.st_mode):
            absent.append(name)
            continue
        lines.append(f"{name}\t{state.st_size}\t{state.st_mtime_ns}")
    if absent:
        raise UserError(
            f"{root}: {len(absent)} of the {len(names)} listed file(s) are absent, the first is '{absent[0]}'. "
            "Unpack the missing archive, or take the rows out of the table."
        )
    return _digest(lines)


def memory(folder, root, names, settings):
    """The file that remembers the key of a large set; None of a small one, or where a folder is absent."""
    if len(names) <= LARGE:
        return None
    try:
        below = sorted({parent for parent, _, _ in map(str.rpartition, names, repeat("/"))})
        folders = [f"{name}\t{os.stat(root / name).st_mtime_ns}" for name in below]
    except OSError:
        return None
    return folder / f"{_digest([settings, *folders, *names])}.seen"


def recall(file):
    """The key that a file of `memory` holds; None where there is none."""
    try:
        return file.read_text() if file else None
    except OSError:
        return None


def remember(file, key):
    if file and recall(file) != key:
        with whole_file(file) as out:
            out.write(key.encode())


def _digest(lines):
    return hashlib.blake2b("\n".join(lines).encode(errors="surrogateescape"), digest_size=8).hexdigest()
