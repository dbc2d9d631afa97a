"""Reader of torch.save's zip format, since PyTorch 1.6.

Source:  torch/serialization.py: NAME/data.pkl, NAME/data/KEY for every storage, all stored uncompressed.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

from asc_tf.checkpoints import _pickled, _tensor

# A pickle holds names and sizes; that of the largest networks is a few megabytes.
MAX_PICKLE_BYTES = 1 << 28


def load(file: Path) -> Any:
    """The tree of a file, as _pickled.load returns it; storages are read and checked when their values are needed.

    Args:
        file: A file of torch.save in the zip format.

    Raises:
        ValueError: The file has another format or is damaged. The types of what else a damaged file leads to are in
            files.DAMAGE.
    """
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        folder = _folder(entries)
        if f"{folder}byteorder" in entries and _bytes(archive, entries[f"{folder}byteorder"]) != b"little":
            raise ValueError("numbers in big endian")
        if entries[f"{folder}data.pkl"].file_size > MAX_PICKLE_BYTES:
            raise ValueError("a pickle that is too large")
        stream = io.BytesIO(_bytes(archive, entries[f"{folder}data.pkl"]))
    return _pickled.load(stream, lambda storage: _storage_bytes(file, f"{folder}data/{storage.key}", storage))


def _folder(entries):
    """The archive's folder, NAME/, from the names of its entries."""
    pickles = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if any(name.endswith("constants.pkl") for name in entries):
        raise ValueError("a TorchScript program; save its state_dict() instead")
    if len(pickles) != 1:
        raise ValueError("a zip archive that torch.save did not write")
    return pickles[0].removesuffix("data.pkl")


def _storage_bytes(file, name, storage):
    with zipfile.ZipFile(file) as archive:
        if name not in archive.namelist():
            raise ValueError(f"no entry {name}")
        entry = archive.getinfo(name)
        if entry.file_size < storage.elements * _tensor.item_bytes(storage.dtype):
            raise ValueError(f"{entry.file_size} bytes for {storage.elements} elements in {name}")
        return _bytes(archive, entry)


def _bytes(archive, entry):
    """Bytes of an uncompressed entry; a compressed one could expand to any size, so that it is an error."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise ValueError("compressed entries, which torch.save does not write")
    return archive.read(entry)
