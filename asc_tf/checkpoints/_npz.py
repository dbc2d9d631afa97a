"""Reader of NumPy's .npz archives. Arrays of texts and of objects, which are pickles, are left out."""

import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from asc_tf.checkpoints import _tensor
from asc_tf.checkpoints._tensor import StoredTensor


def load(file: Path) -> dict[str, StoredTensor]:
    """Tensors of an archive by name; values are read when they are needed.

    Args:
        file: An .npz file.

    Raises:
        ValueError: An array is damaged.
    """
    tensors = {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                shape, is_fortran, dtype = _header(stream)
                start = stream.tell()
            if dtype.kind not in "fiub":
                continue
            if entry.file_size - start != int(np.prod(shape, dtype=object)) * dtype.itemsize:
                raise ValueError(f"'{entry.filename}' holds {entry.file_size} bytes for the shape {shape}")
            strides = _tensor.contiguous(shape[::-1])[::-1] if is_fortran else _tensor.contiguous(shape)
            read = _reader(file, entry.filename, start, dtype)
            key = entry.filename.removesuffix(".npy").replace("/", ".")
            tensors[key] = _tensor.checked(shape, dtype.newbyteorder("<").str, 0, strides, read)
    return tensors


def _header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the order is Fortran's, and type of an array."""
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version} of the .npy format")
    return read[version](stream)


def _reader(file, name, start, dtype):
    def read():
        with zipfile.ZipFile(file) as archive:
            values = np.frombuffer(archive.read(name), dtype, offset=start)
        return values.astype(dtype.newbyteorder("<")).tobytes()

    return read
