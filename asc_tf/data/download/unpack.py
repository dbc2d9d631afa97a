"""Unpacks zip archives: nothing outside of the folder, nothing incomplete."""

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from asc_tf.errors import UserError

UNFINISHED = ".unpacking"  # end of the name of the temporary folder


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks an archive to a temporary folder and, once all checksums (CRC) are right, moves every file to its path.

    Args:
        archive: The zip file.
        folder: Existing folder; files of the same path are replaced.

    Raises:
        UserError: An entry is absolute, climbs with '..' or is a link, the archive is damaged, or there is too little
            space. Nothing has been moved then.
    """
    try:
        with zipfile.ZipFile(archive) as opened, tempfile.TemporaryDirectory(UNFINISHED, ".", folder) as temporary:
            _check(archive, opened.infolist(), folder)
            opened.extractall(temporary)
            for name in {entry.filename: None for entry in opened.infolist() if not entry.is_dir()}:
                _move(Path(temporary) / name, Path(folder) / name, Path(folder))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{archive}: is damaged ({error}). Remove it and download it again.") from error
    except OSError as error:
        raise UserError(f"{folder}: cannot be unpacked to ({error.strerror or error}). Free some space.") from error


def _check(archive, entries, folder):
    for entry in entries:
        path, mode = PurePosixPath(entry.filename), entry.external_attr >> 16
        outside = path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename
        if outside or not path.parts:
            raise UserError(f"{archive}: '{entry.filename}' would be unpacked outside of {folder}; nothing was.")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f"{archive}: '{entry.filename}' is a link or a device; nothing was unpacked.")
    size, free = sum(entry.file_size for entry in entries), shutil.disk_usage(folder).free
    if size > free:
        raise UserError(f"{folder}: {archive.name} unpacks to {size:,} bytes, {free:,} are free. Free some space.")


def _move(source, target, folder):
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{target.parent}: leads out of {folder} by a link; remove the link.")
    os.replace(source, target)
