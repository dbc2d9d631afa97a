"""Reader of torch.save's format before PyTorch 1.6, and of single pickles, as of dicts of NumPy arrays.

Source:  torch/serialization.py, _legacy_save: pickles of a magic number, a version, the machine, the object
         and the storages' keys; then each storage as its number of elements (int64) and their bytes.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO

from asc_tf.checkpoints import _pickled, _tensor

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001


def load(file: Path) -> Any:
    """The tree of a file, as _pickled.load returns it.

    Args:
        file: A file of torch.save in the old format, or a pickle.

    Raises:
        ValueError: The file has another format or is damaged. The types of what else a damaged file leads to are in
            files.DAMAGE.
    """
    storages, extents = {}, {}  # extents: {key of a storage: (offset, size) in bytes}

    def read_storage(storage):
        return _read(file, *extents[storage.key])

    with open(file, "rb") as stream:
        tree = _pickled.load(stream, read_storage)
        if tree != MAGIC:
            return tree
        if _pickled.load(stream, read_storage) != VERSION:
            raise ValueError("a version of the format that torch.save did not write")
        if _pickled.load(stream, read_storage).get("little_endian") is not True:
            raise ValueError("numbers in big endian")
        tree = _pickled.load(stream, read_storage, storages)
        for key in _pickled.load(stream, read_storage):
            extents[key] = _skip(stream, storages[key])
    return tree


def _skip(stream: BinaryIO, storage: _pickled.Storage) -> tuple[int, int]:
    """Moves the stream behind the storage at its position; returns (offset, size) of the storage's bytes."""
    (elements,) = struct.unpack("<q", stream.read(8))
    size = elements * _tensor.item_bytes(storage.dtype)
    if elements != storage.elements:
        raise ValueError(f"{elements} elements where {storage.elements} are declared")
    offset = stream.tell()
    if stream.seek(0, 2) < offset + size:
        raise ValueError("truncated")
    stream.seek(offset + size)
    return offset, size


def _read(file, offset, size):
    with open(file, "rb") as stream:
        stream.seek(offset)
        return stream.read(size)
