"""Reader of files of weights: PyTorch's, safetensors, Keras's and NumPy's.

.pt, .pth, .ckpt and .bin of torch.save, in both formats; .safetensors; .h5, .weights.h5 and .keras of Keras; .npz;
pickles of NumPy arrays.
The format is detected by content, whatever the file is named. Nothing in a file is run.
"""

import contextlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from asc_tf.checkpoints import _keras_h5, _npz, _safetensors, _torch_legacy, _torch_zip
from asc_tf.errors import UserError

# Errors that the readers raise on damaged or hostile files.
DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, OverflowError, MemoryError)
DAMAGE = (*DAMAGE, RuntimeError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
HDF5 = b"\x89HDF\r\n\x1a\n"
# Starts of files around a file of weights.
CONTAINERS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"(\xb5/\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}
ENDINGS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".h5", ".keras", ".npz", ".tar")


def load(file: str | Path) -> Any:
    """The tree of lists, dicts and StoredTensors in a file of weights.

    Args:
        file: A file of weights in one of the formats above.

    Raises:
        UserError: The file is absent, has another format or is damaged.
    """
    file = Path(file)
    if file.is_dir():
        raise UserError(f"{file}: is a folder; name the file of weights in it.")
    if not file.is_file():
        raise UserError(f"{file}: there is no such file.")
    with as_user_error(file):
        return _reader(file)(file)


@contextlib.contextmanager
def as_user_error(file: str | Path) -> Iterator[None]:
    """Turns the errors of reading a file, and of reading the values of its tensors, into a UserError.

    Args:
        file: The file that the error names.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0][:200]
        raise UserError(f"{file}: cannot be read ({reason}).") from error
    except DAMAGE as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(
            f"{file}: is not a complete file of weights (PyTorch, safetensors, Keras or NumPy): {reason}."
        ) from error


def _reader(file: Path) -> Callable[[Path], Any]:
    """The `load` function of the file's format."""
    with open(file, "rb") as stream:
        head = stream.read(512)
    if not head:
        raise ValueError("empty")
    if head[:8] == HDF5:
        return _keras_h5.load
    if head[:4] == b"PK\x03\x04":
        return _reader_of_archive(file)
    if head[:1] == b"\x80":
        return _torch_legacy.load
    if head[8:9] == b"{":
        return _safetensors.load
    packed = [name for start, name in CONTAINERS.items() if head.startswith(start)] or ["tar"] * (
        head[257:262] == b"ustar"
    )
    if packed:
        raise ValueError(f"packed by {packed[0]}; unpack it and name the file in it")
    raise ValueError("another kind of file")


def _reader_of_archive(file):
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    if _keras_h5.ENTRY in names:
        return _keras_h5.load_archive
    if names and all(name.endswith(".npy") for name in names):
        return _npz.load
    inner = [name for name in names if name.endswith(ENDINGS)]
    if inner:
        raise ValueError(f"a zip archive around {inner[0]}; unpack it and name that file")
    return _torch_zip.load
