"""Which format is a checkpoint in, and what does it hold?

.pt, .pth and .ckpt by torch.save, old or new, and .safetensors.  Decided by content; nothing in a file is run.
"""

import contextlib
import struct
import zipfile
from pathlib import Path

from asc_tf.checkpoints import _safetensors, _torch_legacy, _torch_zip
from asc_tf.errors import UserError

EXTENSIONS = (".pt", ".pth", ".ckpt", ".safetensors")
# What the readers of formats raise where a file is not what it should be.
DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, OverflowError, MemoryError)
DAMAGE = (*DAMAGE, RuntimeError, struct.error, zipfile.BadZipFile)


def load(file):
    """The tree of lists, dicts and Tensors in a checkpoint.  Raises UserError where it cannot be read."""
    file = Path(file)
    if not file.is_file():
        raise UserError(f"{file}: there is no such file.")
    if file.suffix not in EXTENSIONS:
        raise UserError(f"{file}: is not named as a checkpoint is; known: {', '.join(EXTENSIONS)}.")
    with refusing(file):
        return _reader(file)(file)


@contextlib.contextmanager
def refusing(file):
    """Turns what a damaged or hostile file makes readers raise into a UserError that names it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}).") from error
    except DAMAGE as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(f"{file}: is no whole checkpoint of PyTorch or safetensors: {reason}.") from error


def _reader(file):
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
