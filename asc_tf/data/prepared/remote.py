"""Prepared sets on remote file systems: s3://, gs://, hdfs:// and whatever else tf.io.gfile opens.

A set is prepared in a local scratch folder, where it can be interrupted and resumed, and then copied, the index last:
where that exists, the set is complete. Its tables are copied back for every run, segments are read from the address.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from asc_tf.data.datasets.listing import Listing
from asc_tf.data.prepared import index, shards
from asc_tf.data.prepared.index import PreparedClips
from asc_tf.data.progress import progress_bar
from asc_tf.data.tensorflow_io_package import tensorflow_io
from asc_tf.errors import UserError
from asc_tf.runs import atomic

SCRATCH = Path(tempfile.gettempdir()) / "asc_tf-prepared"


def is_address(folder: str) -> bool:
    """Whether a folder of prepared sets lies on a remote file system."""
    return "://" in folder


@dataclass(frozen=True, eq=False)
class RemoteClips(PreparedClips):
    """PreparedClips whose shards lie at an address.

    Args:
        address: Address of the set; `folder` is a local copy of its tables.
    """

    address: str

    def read(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Samples of some segments, in the order of `rows`, as of PreparedClips."""
        waves = np.empty((len(rows), self.samples), np.int16)
        for name, places in self._places(np.asarray(rows, np.int64)):
            path = f"{self.address}/{name}"
            with _errors_of(path), tf.io.gfile.GFile(path, "rb") as file:
                for position, start in places:
                    file.seek(start)
                    content = file.read(waves[position].nbytes)
                    if len(content) < waves[position].nbytes:
                        raise UserError(f"{path}: ends too early; remove the set and prepare again.")
                    waves[position] = np.frombuffer(content, "<i2")
        return waves


def prepare(
    listing: Listing,
    *,
    folder: str,
    max_bad_share: float = 0.01,
    workers: int | None = None,
    quiet: bool = False,
    **which: Any,
) -> RemoteClips:
    """The prepared clips of a listing at an address; what is missing is prepared and copied there first.

    Args:
        listing: The clips.
        folder: Address of all prepared sets, such as "s3://bucket/prepared".
        max_bad_share: As of shards.prepare, like the others.
        workers: Processes.
        quiet: Whether to leave out the progress bars and the summary.
        which: Further arguments of shards.prepared_set.

    Raises:
        UserError: As of shards.prepare, or the address cannot be opened.
    """
    local = shards.prepared_set(listing, folder=SCRATCH, **which)
    address = f"{folder.rstrip('/')}/{local.folder.name}"
    with _errors_of(address):
        if _exists(f"{address}/{index.INDEX}"):
            _copy_tables(address, local.folder)
            clips = local.load(max_bad_share=max_bad_share, quiet=quiet)
        else:
            clips = local.prepare(max_bad_share=max_bad_share, workers=workers, quiet=quiet)
            _copy_set(local.folder, address, quiet)
    return RemoteClips(**{field.name: getattr(clips, field.name) for field in fields(clips)}, address=address)


def _exists(path):
    """Whether a remote file exists; file systems that TensorFlow lacks are those of tensorflow-io."""
    try:
        return tf.io.gfile.exists(path)
    except tf.errors.UnimplementedError:
        tensorflow_io(f"data.prepared_folder = '{path.rpartition('/')[0]}'")
        return tf.io.gfile.exists(path)


def _copy_tables(address, local):
    local.mkdir(parents=True, exist_ok=True)
    for name in (index.INDEX, index.BAD_CLIPS, index.NOTES):
        with tf.io.gfile.GFile(f"{address}/{name}", "rb") as file:
            atomic.write(local / name, file.read())


def _copy_set(local, address, quiet):
    """Copies a complete set to its address, the index last, and removes its shards here."""
    tf.io.gfile.makedirs(address)
    names = sorted((file.name for file in local.iterdir()), key=index.INDEX.__eq__)
    with progress_bar(f"copy to {address}", total=len(names), unit=" files", disable=quiet) as bar:
        for name in names:
            tf.io.gfile.copy(str(local / name), f"{address}/{name}", overwrite=True)
            bar.update(1)
    for shard in local.glob("shard-*"):
        shard.unlink()


@contextlib.contextmanager
def _errors_of(path: str) -> Iterator[None]:
    """Context in which errors of a remote file system become UserErrors."""
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"data.prepared_folder: {path}: cannot be read or written ({reason}).") from error
