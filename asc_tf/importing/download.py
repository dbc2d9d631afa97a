"""Download of public weights, and their table."""

import hashlib
from pathlib import Path

from asc_tf.checkpoints import public
from asc_tf.data.download import http
from asc_tf.data.download.archives import Archive
from asc_tf.errors import UserError


def fetch(name: str, folder: str | Path) -> Path:
    """Downloads public weights and verifies their sum; a file that is there already is taken as it is.

    Args:
        name: Name of the weights in the table.
        folder: Folder of the file; it is created.

    Returns:
        The file.

    Raises:
        UserError: There are no such weights, the file has to be fetched by hand, or the download fails.
    """
    weights = public.find(name)
    if not weights.url:
        raise UserError(
            f"{name}: no address of the file is known: fetch it by hand from {weights.page} and import it with "
            f"--recipe {weights.recipe}."
        )
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another --to.") from error
    archive = Archive(weights.file, weights.md5, size_bytes=weights.size_bytes, sha256=weights.sha256)
    file = http.fetch(archive, weights.url, folder)
    if not (weights.sha256 or weights.md5):
        with open(file, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        print(f"{file}: no sum is published to verify it with; its SHA-256 is {digest}")
    return file


def table() -> str:
    """The table of public weights, some lines for each."""
    return "\n\n".join(_entry(name, weights) for name, weights in public.PUBLIC.items())


def _entry(name, weights):
    size = f"{weights.size_bytes:,} bytes" if weights.size_bytes else "size not known"
    known = f" ({weights.source})" if weights.source else ""
    total = f"SHA-256 {weights.sha256}" if weights.sha256 else f"MD5 {weights.md5}" if weights.md5 else "sum not known"
    how = " ".join([f"--recipe {weights.recipe}", *(f"--set {override}" for override in weights.overrides)])
    where = f"{weights.page}, {weights.url or 'to be fetched by hand'}"
    return "\n  ".join(
        [
            f"{name}: {weights.what}",
            weights.paper,
            where,
            f"licence: {weights.licence}",
            f"{size}, {total}{known}",
            how,
        ]
    )
