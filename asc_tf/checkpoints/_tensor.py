"""What is known of a stored tensor before its numbers are read?

Storages are read when the numbers are asked for: a file cannot make its reader hold more than the
network takes, whatever sizes it declares.
"""

import math
import typing

import numpy as np

from asc_tf.errors import UserError

BFLOAT16 = "bfloat16"
MOST_AXES = 8


class Tensor(typing.NamedTuple):
    """A strided view of a storage.

    kind: a numpy type in little endian, or BFLOAT16.  first, strides: in elements.
    read: () -> the bytes of the storage.
    """

    shape: tuple
    kind: str
    first: int
    strides: tuple
    read: typing.Callable

    def values(self):
        """The numbers as float32 in C order.  Raises UserError where the storage does not hold them."""
        width = item_bytes(self.kind)
        stored = self.read()
        if len(stored) < width * self.last:
            raise UserError(f"a storage holds {len(stored)} bytes where {width * self.last} are needed.")
        if self.kind == BFLOAT16:  # the upper half of a float32
            flat = (np.frombuffer(stored, "<u2", self.last).astype("<u4") << 16).view("<f4")
        else:
            flat = np.frombuffer(stored, self.kind, self.last)
        strides = [stride * flat.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(flat[self.first :], self.shape, strides, writeable=False)
        with np.errstate(over="ignore"):  # what float32 does not hold becomes infinite, and is refused as such
            return np.array(view, np.float32, order="C")

    @property
    def last(self):
        """One more than the place in the storage of its last element."""
        if not math.prod(self.shape):
            return self.first
        return self.first + 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))


def checked(shape, kind, first, strides, read):
    """A Tensor; ValueError where a size is no whole number from 0 on, or there are more than MOST_AXES."""
    numbers = [*shape, *strides, first]
    if len(shape) != len(strides) or len(shape) > MOST_AXES or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError("sizes that no tensor has")
    return Tensor(tuple(shape), kind, first, tuple(strides), read)


def item_bytes(kind):
    return 2 if kind == BFLOAT16 else np.dtype(kind).itemsize


def contiguous(shape):
    """The strides of a tensor in C order, in elements."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
