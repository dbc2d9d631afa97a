"""How does a whole published dataset come into a folder?"""

import shutil
from pathlib import Path

from asc_tf.data.download import archives, unpack
from asc_tf.data.download import http as download
from asc_tf.data.prepared import workers as shard_pool
from asc_tf.errors import UserError


def fetch(name, folder, **settings):
    """Downloads, verifies and unpacks what is not there yet; returns the dataset's root, below `folder`.

    Each archive is removed once it is unpacked; an empty file NAME.unpacked beside the root stands for it, so that a
    second call is quick.  settings: of download.fetch.  Raises UserError as download and unpack do.
    """
    dataset, folder = archives.find(name), Path(folder).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--to {folder}: cannot be written ({error.strerror}). Name another folder.") from error
    with shard_pool.alone(folder, quiet=False):
        for left in folder.glob(f".*{unpack.UNFINISHED}"):
            shutil.rmtree(left)
        for part in dataset.parts:
            if not _done(part, folder).is_file():
                _bring(part, dataset.url.format(name=part.name), folder, settings)
    return folder / dataset.folder


def _bring(part, url, folder, settings):
    print(f"{part.name}: {_verification(part)}", flush=True)
    archive = download.fetch(part, url, folder, **settings)
    unpack.unpack(archive, folder)
    _done(part, folder).touch()
    archive.unlink()


def _done(part, folder):
    return folder / f"{part.name}.unpacked"


def _verification(part):
    if part.md5 is None:
        return "UNVERIFIED: no MD5 sum is known, only the archive's own checksums are checked"
    sources = "two sources agree" if part.confirmed else "of one source, not compared with the record's page"
    return f"MD5 {part.md5} ({sources})"
