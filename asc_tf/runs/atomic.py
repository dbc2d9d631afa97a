"""Atomic file writes: a file appears under its name complete, or not at all."""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

PART = ".part-"  # how the name of a file begins while it is being written
TOKEN_BYTES = 6
_UNFINISHED = re.compile(rf"{re.escape(PART)}[0-9a-f]{{{2 * TOKEN_BYTES}}}-.")


def write(file: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Writes a file under a temporary name beside it, then renames it; an existing file is replaced.

    The temporary name ends in the file's name, so that writers that look at the extension work, and is different in
    every call, so that two processes or machines may write the same file.

    Args:
        file: Path of the file, in a folder that exists.
        content: Text (written as UTF-8), bytes, or a function that writes to the path it is given.

    Raises:
        OSError: The file cannot be written. The temporary file is removed after any exception.
    """
    temporary = file.with_name(f"{PART}{secrets.token_hex(TOKEN_BYTES)}-{file.name}")
    try:
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        _to_disk(temporary)
        os.replace(temporary, file)
        _to_disk(file.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Removes the temporary files that killed processes left in a folder and below it, not through links.

    Args:
        folder: Folder that this package writes and in which no other process is writing.
    """
    for parent, _, names in os.walk(folder):
        for name in filter(_UNFINISHED.match, names):
            Path(parent, name).unlink(missing_ok=True)


def _to_disk(path):
    """Has the system write a file, or the names in a folder, to the disk: a power cut then leaves old or new."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
