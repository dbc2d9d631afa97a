"""Downloads and unpacks a whole published dataset."""

import shutil
from pathlib import Path

from asc_tf.data.download import archives, http, unpack
from asc_tf.data.lock import locked
from asc_tf.errors import UserError


def fetch(name: str, folder: Path | str) -> Path:
    """Downloads, verifies and unpacks the archives of a dataset that are not there yet.

    An archive is removed once it is unpacked; an empty file ARCHIVE.unpacked marks it, so that a second call is quick.
    A second call at the same time waits for the first.

    Args:
        name: Name of the dataset, see archives.PUBLISHED.
        folder: Folder to download and unpack to; it is created if it is absent.

    Returns:
        Root of the dataset, below `folder`.

    Raises:
        UserError: The dataset or its address is unknown, the folder cannot be written, or a download or an archive
            fails.
    """
    dataset, folder = archives.find(name), Path(folder).expanduser()
    if not dataset.archives:
        raise UserError(
            f"--download {name}: the address of its archive is not known. Its page is {dataset.page}: put the files "
            f'into {folder / dataset.folder}, or do without by folder = "built_in" in [[augmentation]].'
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--to {folder}: cannot be written ({error.strerror}). Name another folder.") from error
    with locked(folder):
        for left in folder.glob(f".*{unpack.UNFINISHED}"):
            shutil.rmtree(left)
        for archive in dataset.archives:
            if not _mark(archive, folder).is_file():
                _fetch_archive(archive, dataset.url.format(name=archive.name), folder)
    return folder / dataset.folder


def _fetch_archive(archive, url, folder):
    print(f"{archive.name}: {_verification(archive)}", flush=True)
    file = http.fetch(archive, url, folder)
    unpack.unpack(file, folder)
    _mark(archive, folder).touch()
    file.unlink()


def _mark(archive, folder):
    return folder / f"{archive.name}.unpacked"


def _verification(archive):
    if archive.md5 is None:
        return "UNVERIFIED: no MD5 sum is known, only the archive's own checksums are checked"
    sources = "two sources agree" if archive.confirmed else "of one source, not compared with the record's page"
    return f"MD5 {archive.md5} ({sources})"
