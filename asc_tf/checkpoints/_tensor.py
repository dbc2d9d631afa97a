"""Description of a stored tensor, whose values are read later.

A storage is read when the values are needed: a file cannot make its reader allocate more than the network
takes, whatever sizes it declares.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from asc_tf.errors import UserError

BFLOAT16 = "bfloat16"
MAX_AXES = 8


class StoredTensor(NamedTuple):
    """A strided view of a storage.

    Args:
        shape: Size of every axis.
        dtype: A numpy type in little endian, or BFLOAT16.
        offset: Index of the first element in the storage.
        strides: Elements between neighbours along every axis.
        read: Function that returns the bytes of the storage.
    """

    shape: tuple[int, ...]
    dtype: str
    offset: int
    strides: tuple[int, ...]
    read: Callable[[], bytes]

    def values(self) -> np.ndarray:
        """The values as float32 in C order; values beyond float32 become infinite.

        Raises:
            UserError: The storage is smaller than the tensor.
        """
        width = item_bytes(self.dtype)
        stored = self.read()
        if len(stored) < width * self.end:
            raise UserError(f"a storage holds {len(stored)} bytes where {width * self.end} are needed.")
        if self.dtype == BFLOAT16:  # the upper half of a float32
            flat = (np.frombuffer(stored, "<u2", self.end).astype("<u4") << 16).view("<f4")
        else:
            flat = np.frombuffer(stored, self.dtype, self.end)
        strides = [stride * flat.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides, writeable=False)
        with np.errstate(over="ignore"):
            return np.array(view, np.float32, order="C")

    @property
    def end(self) -> int:
        """One more than the index of the last element in the storage."""
        if not math.prod(self.shape):
            return self.offset
        return self.offset + 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))


def checked(
    shape: Sequence[int], dtype: str, offset: int, strides: Sequence[int], read: Callable[[], bytes]
) -> StoredTensor:
    """The StoredTensor of sizes that a file declares; arguments as there.

    Raises:
        ValueError: A size is negative or not an integer, or there are more than MAX_AXES axes.
    """
    sizes = [*shape, *strides, offset]
    if len(shape) != len(strides) or len(shape) > MAX_AXES or not all(type(n) is int and n >= 0 for n in sizes):
        raise ValueError("sizes that no tensor has")
    return StoredTensor(tuple(shape), dtype, offset, tuple(strides), read)


def item_bytes(dtype: str) -> int:
    """Bytes of one element of a type, as StoredTensor has it."""
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of a tensor in C order, in elements."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
