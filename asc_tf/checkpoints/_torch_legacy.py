"""What does a file of torch.save hold?  The format before PyTorch 1.6.

Source:  torch/serialization.py, _legacy_save: pickles of a magic number, a version, the machine, the object
         and the storages' keys; then each storage as its number of elements (int64) and their bytes.
"""

import struct

from asc_tf.checkpoints import _pickled, _tensor

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001


def load(file):
    """The tree of a torch file; ValueError where it is none."""
    storages, places = {}, {}

    def noted(storage):
        return _read(file, *places[storage.key])

    with open(file, "rb") as stream:
        if (_pickled.load(stream, noted), _pickled.load(stream, noted)) != (MAGIC, VERSION):
            raise ValueError("a pickle that torch.save did not write")
        if _pickled.load(stream, noted).get("little_endian") is not True:
            raise ValueError("numbers in big endian")
        tree = _pickled.load(stream, noted, storages)
        for key in _pickled.load(stream, noted):
            places[key] = _skipped(stream, storages[key])
    return tree


def _skipped(stream, storage):
    """(place, bytes) of the storage at which the stream stands; it is left behind it."""
    (elements,) = struct.unpack("<q", stream.read(8))
    size = elements * _tensor.item_bytes(storage.kind)
    if elements != storage.elements:
        raise ValueError(f"{elements} elements where {storage.elements} are declared")
    place = stream.tell()
    if stream.seek(0, 2) < place + size:
        raise ValueError("truncated")
    stream.seek(place + size)
    return place, size


def _read(file, place, size):
    with open(file, "rb") as stream:
        stream.seek(place)
        return stream.read(size)
