"""Writer of torch.save's two file formats without PyTorch, for tests; it also writes files that torch.save would not.

Source: torch/serialization.py and pickle's opcodes of protocol 2.
"""

import struct
import typing
import zipfile

import numpy as np

KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage", "u2": "BFloat16Storage"}


class Global(typing.NamedTuple):
    """A function or class by name."""

    module: str
    name: str


class Call(typing.NamedTuple):
    """An object that a pickle makes by calling a function."""

    function: object
    arguments: tuple


class Persistent(typing.NamedTuple):
    """An object that a pickle describes by a persistent id."""

    identity: tuple


def pickled(value):
    """A value as a pickle of protocol 2."""
    return b"\x80\x02" + _opcodes(value) + b"."


def tensor(key, storage, *, shape=None, strides=None, offset=0):
    """A tensor as torch.save describes it; `storage` is the array stored under `key`."""
    shape = storage.shape if shape is None else shape
    strides = (
        tuple(int(np.prod(storage.shape[axis + 1 :])) for axis in range(storage.ndim)) if strides is None else strides
    )
    identity = ("storage", Global("torch", KINDS[storage.dtype.str[1:]]), key, "cpu", storage.size)
    arguments = (Persistent(identity), offset, tuple(shape), tuple(strides), False, ordered())
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), arguments)


def ordered():
    """An empty OrderedDict."""
    return Call(Global("collections", "OrderedDict"), ())


def simple(**arrays):
    """({name: tensor}, storages) of arrays, one storage each."""
    return {name: tensor(name, array) for name, array in arrays.items()}, arrays


def write_zip(file, tree, storages, *, pickle=None, compression=zipfile.ZIP_STORED, more=()):
    """A file of PyTorch 1.6 and later; `pickle` replaces the tree's, `more` has the content of further entries."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled(tree) if pickle is None else pickle)
        for key, storage in storages.items():
            archive.writestr(f"archive/data/{key}", storage if isinstance(storage, bytes) else storage.tobytes())
        for name, content in dict(more).items():
            archive.writestr(name, content)
        archive.writestr("archive/version", "3\n")
    return file


def write_legacy(file, tree, storages):
    """A file as before PyTorch 1.6."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
    content = b"".join(map(pickled, [*head, tree, list(storages)]))
    for storage in storages.values():
        content += struct.pack("<q", storage.size) + storage.tobytes()
    file.write_bytes(content)
    return file


def _opcodes(value):
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        size = (value.bit_length() + 8) // 8
        return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, Global):
        return f"c{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return _opcodes(value.function) + _opcodes(value.arguments) + b"R"
    if isinstance(value, Persistent):
        return _opcodes(value.identity) + b"Q"
    if isinstance(value, dict):
        return b"}(" + b"".join(_opcodes(key) + _opcodes(item) for key, item in value.items()) + b"u"
    opening, closing = (b"](", b"e") if isinstance(value, list) else (b"(", b"t")
    return opening + b"".join(map(_opcodes, value)) + closing
