"""A lock on a file or folder that one process at a time can hold."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from asc_tf.data import _compat


@contextlib.contextmanager
def locked(path: Path, *, quiet: bool = False) -> Iterator[None]:
    """Holds an exclusive lock, after waiting for any other process that holds it.

    The operating system releases the lock however its holder ends. A network drive without locks is used without one.

    Args:
        path: Existing file or folder.
        quiet: Whether to wait without a message on stderr.

    Raises:
        OSError: The path cannot be opened.
        RuntimeError: The lock is held, and this process is a worker that runs its parent's script again.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _lock(descriptor, path, quiet)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor, path, quiet):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # The parent holds the lock and waits for this worker: waiting here would never end.
        if _compat.worker_is_importing_main():
            raise RuntimeError(f"{path}: a worker process must not wait for a lock that its parent holds") from None
        if not quiet:
            print(f"waiting for another run that works on {path}", file=sys.stderr)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return  # files are renamed when complete, which keeps two runs apart here
