"""Reader of .safetensors files.

Source:  huggingface.co/docs/safetensors: 8 bytes size of the header, a JSON header, the tensors' bytes in
         little endian and C order, without gaps and overlaps.
"""

import json
import math
import os
import struct
from pathlib import Path
from typing import Any

from asc_tf.checkpoints import _tensor
from asc_tf.checkpoints._tensor import StoredTensor

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": _tensor.BFLOAT16,
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
MAX_HEADER_BYTES = 100_000_000  # as in the reference implementation


def load(file: Path) -> dict[str, StoredTensor]:
    """The tensors of a file by key; their values are read later.

    Args:
        file: A .safetensors file.

    Raises:
        ValueError: The file has another format, or its header contradicts itself or the file's size. The types of
            what a damaged header leads to are in files.DAMAGE.
    """
    with open(file, "rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8))
        start, end = 8 + size, os.fstat(stream.fileno()).st_size
        if size > min(MAX_HEADER_BYTES, end):
            raise ValueError("a header beyond its end")
        header = json.loads(stream.read(size).decode())
    header.pop("__metadata__", None)
    offsets = sorted(tuple(entry["data_offsets"]) for entry in header.values())
    if [0, *(end for _, end in offsets)] != [*(begin for begin, _ in offsets), end - start]:
        raise ValueError("gaps, overlaps or missing bytes between its tensors")
    return {key: _stored_tensor(file, start, entry) for key, entry in header.items()}


def _stored_tensor(file: Path, start: int, entry: dict[str, Any]) -> StoredTensor:
    """The tensor of a header's entry; `start` is where the tensors' bytes begin in the file."""
    begin, end = entry["data_offsets"]
    shape, dtype = entry["shape"], DTYPES.get(entry["dtype"])
    if dtype is None:
        raise ValueError(f"the type {entry['dtype']}, which is not known")
    strides = _tensor.contiguous(shape)
    tensor = _tensor.checked(shape, dtype, 0, strides, lambda: _read(file, start + begin, end - begin))
    if math.prod(shape) * _tensor.item_bytes(dtype) != end - begin:
        raise ValueError("sizes that contradict its shapes")
    return tensor


def _read(file, offset, size):
    with open(file, "rb") as stream:
        stream.seek(offset)
        return stream.read(size)
