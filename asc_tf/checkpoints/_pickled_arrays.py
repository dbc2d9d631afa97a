"""NumPy arrays as pickles describe them, made without calling anything that a file names.

Source:  numpy/_core/src/multiarray/methods.c, array_reduce and array_setstate; descriptor.c, arraydescr_reduce.
"""

import re
from collections.abc import Sequence
from typing import Any

from asc_tf.checkpoints import _tensor
from asc_tf.checkpoints._tensor import StoredTensor

MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
NUMBERS = re.compile("[fiu][1248]|b1")  # texts of the types that are read


class ArrayType:
    """A type of elements, numpy.dtype: its text, and from BUILD its order of bytes.

    Args:
        text: "f4", for example.
    """

    def __init__(self, text: Any):
        self.text, self.order = text, "<"

    def build(self, state: Sequence) -> None:
        """Takes the state (version, order of bytes, ...)."""
        self.order = state[1]

    @property
    def dtype(self) -> str | None:
        """The type as StoredTensor has it; None where elements are no numbers."""
        order = "<" if self.order in ("|", "=") else self.order
        is_known = isinstance(self.text, str) and NUMBERS.fullmatch(self.text) and order in ("<", ">")
        return f"{order}{self.text}" if is_known else None


class Array:
    """An array, numpy.ndarray, whose content BUILD gives.

    Attributes:
        tensor: Its values; None where its elements are no numbers.
    """

    def __init__(self) -> None:
        self.tensor: StoredTensor | None = None

    def build(self, state: Sequence) -> None:
        """Takes the state (version, shape, type, whether the order is Fortran's, content)."""
        _, shape, kind, is_fortran, content = state
        self.fill(content, kind, shape, is_fortran)

    def fill(self, content: Any, kind: Any, shape: Sequence[int], is_fortran: bool) -> None:
        """Sets the values.

        Args:
            content: Bytes, or as Python 2 writes them a text of their codes; a list where elements are objects.
            kind: ArrayType.
            shape: Size of every axis.
            is_fortran: Whether neighbours of the first axis lie beside each other.
        """
        dtype = kind.dtype if isinstance(kind, ArrayType) else None
        if dtype is None or isinstance(content, list):
            return
        content = content.encode("latin-1") if isinstance(content, str) else bytes(content)
        strides = _tensor.contiguous(shape[::-1])[::-1] if is_fortran else _tensor.contiguous(shape)
        tensor = _tensor.checked(shape, dtype, 0, strides, lambda: content)
        if len(content) != tensor.end * _tensor.item_bytes(dtype):
            raise ValueError(f"an array of {len(content)} bytes for the shape {tuple(shape)}")
        self.tensor = tensor


def made(module: str, name: str, arguments: Sequence) -> Any:
    """The object that NumPy makes of a name's arguments; None for other names.

    Args:
        module: Module of a function or class.
        name: Its name.
        arguments: Those of the call.
    """
    if (module, name) == ("numpy", "dtype"):
        return ArrayType(arguments[0])
    if module in MODULES and name == "_reconstruct":
        return Array()
    if module in MODULES and name == "_frombuffer":
        content, kind, shape, order = arguments
        array = Array()
        array.fill(content, kind, shape, order == "F")
        return array
    if (module, name) == ("_codecs", "encode") and isinstance(arguments[0], str):
        return arguments[0].encode("latin-1")
    return None
