"""What does a .safetensors file hold?

Source:  huggingface.co/docs/safetensors: 8 bytes size of the header, a JSON header, the tensors' bytes in
         little endian and C order, without gaps and overlaps.
"""

import json
import math
import os
import struct

from asc_tf.checkpoints import _tensor

KINDS = {
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
MOST_HEADER_BYTES = 100_000_000  # as in the reference implementation


def load(file):
    """{key: Tensor}; ValueError where the file is no safetensors file or its header contradicts it."""
    with open(file, "rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8))
        start, end = 8 + size, os.fstat(stream.fileno()).st_size
        if size > min(MOST_HEADER_BYTES, end):
            raise ValueError("a header beyond its end")
        header = json.loads(stream.read(size).decode())
    header.pop("__metadata__", None)
    places = sorted(tuple(entry["data_offsets"]) for entry in header.values())
    if [0, *(end for _, end in places)] != [*(begin for begin, _ in places), end - start]:
        raise ValueError("gaps, overlaps or missing bytes between its tensors")
    return {key: _tensor_of(file, start, entry) for key, entry in header.items()}


def _tensor_of(file, start, entry):
    begin, end = entry["data_offsets"]
    shape, kind = entry["shape"], KINDS.get(entry["dtype"])
    if kind is None:
        raise ValueError(f"the type {entry['dtype']}, which is not known")
    tensor = _tensor.checked(shape, kind, 0, _tensor.contiguous(shape), lambda: _read(file, start + begin, end - begin))
    if math.prod(shape) * _tensor.item_bytes(kind) != end - begin:
        raise ValueError("sizes that contradict its shapes")
    return tensor


def _read(file, place, size):
    with open(file, "rb") as stream:
        stream.seek(place)
        return stream.read(size)
