"""Atomic writing of files: whole or not at all, whatever happens meanwhile."""

import os
from collections.abc import Callable
from pathlib import Path

PART = ".part-"  # start of a file's name while it is being written


def write(file: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Writes a file under a temporary name beside it, then renames it.

    Args:
        file: The file; its folder must exist.
        content: Text, bytes, or a function that writes to the path it is given.

    Raises:
        OSError: It cannot be written; the temporary file is removed.
    """
    temporary = file.with_name(f"{PART}{os.getpid()}-{file.name}")
    try:
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
