"""How is a zip archive unpacked so that nothing lands outside its folder and nothing half-made is left?"""

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from asc_tf.errors import UserError

UNFINISHED = ".unpacking"


def unpack(archive, folder):
    """Moves all files of an archive below `folder`, each to its path there, once all have their right checksum (CRC).

    Raises UserError, and moves nothing, for an entry that is absolute, climbs with '..' or is a link, for a damaged
    archive, and where there is too little space.
    """
    try:
        with zipfile.ZipFile(archive) as opened, tempfile.TemporaryDirectory(UNFINISHED, ".", folder) as held:
            _check(archive, opened.infolist(), folder)
            opened.extractall(held)
            for name in {entry.filename: None for entry in opened.infolist() if not entry.is_dir()}:
                _move(Path(held) / name, Path(folder) / name, Path(folder))
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
