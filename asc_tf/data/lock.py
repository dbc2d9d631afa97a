"""A lock on a file or folder that one process at a time can hold."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from asc_tf.data import _compat
from asc_tf.errors import UserError
from asc_tf.runs import atomic


@contextlib.contextmanager
def locked(path: Path, *, quiet: bool = False, wait: bool = True) -> Iterator[None]:
    """Holds an exclusive lock, after waiting for any other process that holds it.

    The operating system releases the lock however its holder ends. A network drive without locks is used without one.

    Args:
        path: Existing file or folder.
        quiet: Whether to wait without a message on stderr.
        wait: Whether to wait at all.

    Raises:
        UserError: Another process holds the lock, and `wait` is not set.
        OSError: The path cannot be opened.
        RuntimeError: The lock is held, and this process is a worker that runs its parent's script again.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _lock(descriptor, path, quiet, wait)
        yield
    finally:
        os.close(descriptor)


def remove_unfinished(folder: Path) -> None:
    """Removes the files that killed processes left half-written in a folder, unless another process works in it.

    Args:
        folder: A folder that this package writes, which exists.
    """
    with contextlib.suppress(UserError), locked(folder, wait=False):
        atomic.remove_unfinished(folder)


def _lock(descriptor, path, quiet, wait):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # The parent holds the lock and waits for this worker: waiting here would never end.
        if _compat.worker_is_importing_main():
            raise RuntimeError(f"{path}: a worker process must not wait for a lock that its parent holds") from None
        if not wait:
            raise UserError(
                f"{path}: another process works in this folder; wait for its end, or choose another --out."
            ) from None
        if not quiet:
            print(f"waiting for another run that works on {path}", file=sys.stderr)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return  # files are renamed when complete, which keeps two runs apart here
