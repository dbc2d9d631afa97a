"""Reader of checkpoint files: .pt, .pth and .ckpt of torch.save, in both formats, and .safetensors.

The format is detected by content. Nothing in a file is run.
"""

import contextlib
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from asc_tf.checkpoints import _safetensors, _torch_legacy, _torch_zip
from asc_tf.errors import UserError

EXTENSIONS = (".pt", ".pth", ".ckpt", ".safetensors")
# Errors that the readers raise on damaged or hostile files.
DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, OverflowError, MemoryError)
DAMAGE = (*DAMAGE, RuntimeError, struct.error, zipfile.BadZipFile)


def load(file: str | Path) -> Any:
    """The tree of lists, dicts and StoredTensors in a checkpoint.

    Args:
        file: A .pt, .pth, .ckpt or .safetensors file.

    Raises:
        UserError: The file is absent, has another format or is damaged.
    """
    file = Path(file)
    if not file.is_file():
        raise UserError(f"{file}: there is no such file.")
    if file.suffix not in EXTENSIONS:
        raise UserError(f"{file}: is not named like a checkpoint; known extensions: {', '.join(EXTENSIONS)}.")
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
        raise UserError(f"{file}: cannot be read ({error.strerror}).") from error
    except DAMAGE as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(f"{file}: is not a complete PyTorch or safetensors checkpoint: {reason}.") from error


def _reader(file: Path) -> Callable[[Path], Any]:
    """The `load` function of the file's format."""
    with open(file, "rb") as stream:
        head = stream.read(9)
    if not head:
        raise ValueError("empty")
    if head[:4] == b"PK\x03\x04":
        return _torch_zip.load
    if head[:1] == b"\x80":
        return _torch_legacy.load
    if head[8:] == b"{":
        return _safetensors.load
    raise ValueError("another kind of file")
