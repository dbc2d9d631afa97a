"""Keys of prepared sets, which are the names of their folders.

A key is a digest of the files (name, size, time of change), the rate and the segment length: a changed file or another
list has another key; a new split of the same files has the same key.

To look at 230,350 files takes a second or more, so the key of a large set is stored: NAME.seen holds it, where NAME is
a digest of the list and of the folders' times of change. A file added, removed or moved changes the time of its folder;
a file rewritten in place does not, which only a look at every file detects.
"""

import hashlib
import os
import stat
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

from asc_tf.errors import UserError
from asc_tf.runs import atomic

LARGE = 10_000  # files; so many are looked at in less than 0.1 s


def compute(root: Path, names: Sequence[str], settings: str) -> str:
    """The key of some files, from a look at each of them.

    Args:
        root: Folder of the files.
        names: Paths below `root`, sorted.
        settings: Everything else that the prepared audio depends on.

    Returns:
        16 hexadecimal digits.

    Raises:
        UserError: A file is absent.
    """
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


def stored_key_file(folder: Path, root: Path, names: Sequence[str], settings: str) -> Path | None:
    """The file for the stored key of a large set; None for a small set, or where a folder is absent.

    Args:
        folder: Folder of all prepared sets.
        root: Folder of the audio files.
        names: Paths below `root`, sorted.
        settings: As for `compute`.
    """
    if len(names) <= LARGE:
        return None
    try:
        parents = sorted({parent for parent, _, _ in map(str.rpartition, names, repeat("/"))})
        folders = [f"{name}\t{os.stat(root / name).st_mtime_ns}" for name in parents]
    except OSError:
        return None
    return folder / f"{_digest([settings, *folders, *names])}.seen"


def read_stored(file: Path | None) -> str | None:
    """The key in a file of `stored_key_file`; None where there is none."""
    try:
        return file.read_text() if file else None
    except OSError:
        return None


def store(file: Path | None, key: str) -> None:
    """Writes the key to a file of `stored_key_file`, if there is one and it does not hold the key yet.

    Raises:
        OSError: Writing fails.
    """
    if file and read_stored(file) != key:
        atomic.write(file, key)


def _digest(lines):
    return hashlib.blake2b("\n".join(lines).encode(errors="surrogateescape"), digest_size=8).hexdigest()
