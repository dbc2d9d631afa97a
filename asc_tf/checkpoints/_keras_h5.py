"""Reader of Keras's files of weights: .h5 and .weights.h5, and the .keras archive that holds one.

Source:  keras/src/legacy/saving/legacy_h5_format.py (groups named after layers and weights) and
         keras/src/saving/saving_lib.py (groups named after the classes of layers in order, weights numbered).
Only datasets are read: no configuration, no code. Links to other files are not followed.
"""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from asc_tf.checkpoints import _tensor
from asc_tf.checkpoints._tensor import StoredTensor

ENTRY = "model.weights.h5"  # of a .keras archive
MAX_ARCHIVED_BYTES = 1 << 32
MAX_EXPANSION = 20  # Keras stores entries uncompressed; weights hardly compress
# Older files repeat a layer's name, as "conv/conv/kernel:0".
REPEATED = re.compile(r"(^|/)(.+)/\2/")


def load(file: Path) -> dict[str, StoredTensor]:
    """Tensors of an HDF5 file by path, slashes as dots, without ":0" and the repetition of a layer's name.

    Args:
        file: An .h5 file.

    Raises:
        ValueError: A dataset is stored outside of the file.
        OSError: The file is damaged.
    """
    return _tensors(lambda: file)


def load_archive(file: Path) -> dict[str, StoredTensor]:
    """Tensors of the HDF5 file in a .keras archive, otherwise as `load`.

    Args:
        file: A .keras file.

    Raises:
        ValueError: The archive's entry is too large, or expands to much more than weights do.
    """
    with zipfile.ZipFile(file) as archive:
        entry = archive.getinfo(ENTRY)
        if entry.file_size > min(MAX_ARCHIVED_BYTES, MAX_EXPANSION * entry.compress_size):
            raise ValueError(f"{entry.compress_size:,} bytes that claim to be {entry.file_size:,} bytes of weights")
        content = archive.read(ENTRY)
    return _tensors(lambda: io.BytesIO(content))


def _tensors(source: Callable[[], Any]) -> dict[str, StoredTensor]:
    """Tensors of the HDF5 file that `source` returns, as a path or a stream."""
    tensors = {}

    def add(path, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub":
            if item.external or item.is_virtual:
                raise ValueError(f"'{path}' is stored in another file")
            dtype = item.dtype.newbyteorder("<").str
            strides = _tensor.contiguous(item.shape)
            tensors[_key(path)] = _tensor.checked(item.shape, dtype, 0, strides, lambda: _read(source, path, dtype))

    with h5py.File(source(), "r") as content:
        content.visititems(add)
    return tensors


def _key(path):
    name = REPEATED.sub(r"\1\2/", path.split(":")[0]).replace("/", ".")
    return re.sub(r"\bdepthwise_kernel$", "kernel", name)  # as older versions of Keras name it


def _read(source, path, dtype):
    with h5py.File(source(), "r") as content:
        return content[path][()].astype(dtype).tobytes()
