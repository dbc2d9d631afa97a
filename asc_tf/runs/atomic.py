"""Atomic file writes: a file appears under its name complete, or not at all."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

PART = ".part-"  # how the name of a file begins while it is being written


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
    temporary = file.with_name(f"{PART}{secrets.token_hex(6)}-{file.name}")
    try:
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Removes the temporary files that killed processes left in a folder and below it.

    Args:
        folder: Folder in which no other process is writing.
    """
    for unfinished in folder.rglob(f"{PART}*"):
        unfinished.unlink(missing_ok=True)
