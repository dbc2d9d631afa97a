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
def locked(path: Path, *, quiet: bool = False, wait: bool = True, required: bool = False) -> Iterator[None]:
    """Holds an exclusive lock, after waiting for any other process that holds it.

    The operating system releases the lock however its holder ends.

    Args:
        path: Existing file or folder.
        quiet: Whether to wait without a message on stderr.
        wait: Whether to wait at all.
        required: Whether a network drive without locks is refused; otherwise it is used without one.

    Raises:
        UserError: Another process holds the lock, and `wait` is not set; or the drive has no locks.
        OSError: The path cannot be opened.
        RuntimeError: The lock is held, and this process is a worker that runs its parent's script again.
    """
    # NFS locks only what is open for writing, which a folder cannot be.
    writable = path.is_file() and os.access(path, os.W_OK)
    descriptor = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
    try:
        _lock(descriptor, path, quiet, wait, required)
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


def _lock(descriptor, path, quiet, wait, required):
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
    except OSError as error:
        if required:
            raise UserError(f"{path}: this drive has no file locks; choose a folder on another.") from error
        return  # files are renamed when complete, which keeps two runs apart here
