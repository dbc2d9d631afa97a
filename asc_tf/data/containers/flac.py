"""FLAC streams.

Source: RFC 9639, sections 8.1 and 8.2: the number of samples in STREAMINFO may be 0 for unknown.
"""

from typing import BinaryIO

from asc_tf.data.containers import tags
from asc_tf.data.containers.stream import NO_LENGTH, Stream

_BEGINNING = b"fLaC\x00\x00\x00\x22"
_COUNT = 21  # position of the byte whose lower half, with the next four bytes, is the number of samples
_BLOCK = 1 << 20


def stream(file: BinaryIO, start: int, end: int) -> Stream | None:
    """The FLAC stream that begins at a position; None where there is none.

    The decoder is given a header of unknown length: it then reads all frames that there are.

    Args:
        file: The file.
        start: The position.
        end: End of the file.
    """
    head = tags.read_at(file, start, _COUNT + 5)
    if len(head) < _COUNT + 5 or head[:4] != b"fLaC" or head[4] & 0x7F:
        return None
    frames = int.from_bytes(head[_COUNT:]) & 0xF_FFFF_FFFF
    unknown = head[:_COUNT] + bytes([head[_COUNT] & 0xF0, 0, 0, 0, 0])
    end = tags.strip(file, start, end)
    stop = _next(file, start + len(head), end)
    pieces, notes = (unknown, range(start + len(head), stop)), () if frames else (NO_LENGTH,)
    return Stream(pieces, stop, notes, frames=frames, as_stated=(range(start, stop),) if frames else ())


def _next(file, position, end):
    """Position of the next stream's beginning; `end` for none."""
    kept = b""
    file.seek(position)
    while position < end and (block := file.read(min(_BLOCK, end - position))):
        joined = kept + block
        if (at := joined.find(_BEGINNING)) >= 0:
            return position - len(kept) + at
        position += len(block)
        kept = joined[1 - len(_BEGINNING) :]
    return end
