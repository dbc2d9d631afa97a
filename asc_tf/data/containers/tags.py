"""Tags that programs write before, between and behind streams of sound.

Source: ID3v1; ID3v2.4 (Nilsson 2000), sections 3.1 and 3.4; APEv2.
"""

import struct
from typing import BinaryIO

ID3V1_BYTES, _APE_BYTES = 128, 32


def skip(file: BinaryIO, position: int, end: int) -> int:
    """The position behind all tags at a position.

    Args:
        file: The file.
        position: Where tags may begin.
        end: End of the file.
    """
    while position < end:
        length = _length(read_at(file, position, _APE_BYTES))
        if not length:
            break
        position = min(end, position + length)
    return position


def strip(file: BinaryIO, position: int, end: int) -> int:
    """The position of the tags at the end of a file; the end where there are none.

    Args:
        file: The file.
        position: Where its sound begins.
        end: End of the file.
    """
    while True:
        length = 0
        if end - position > ID3V1_BYTES and read_at(file, end - ID3V1_BYTES, 3) == b"TAG":
            length = ID3V1_BYTES
        elif end - position > _APE_BYTES and (footer := read_at(file, end - _APE_BYTES, 24))[:8] == b"APETAGEX":
            size, _, flags = struct.unpack("<III", footer[12:])
            length = size + (_APE_BYTES if flags >> 31 else 0)
        if not 0 < length < end - position:
            return end
        end -= length


def read_at(file: BinaryIO, position: int, length: int) -> bytes:
    """Bytes at a position of a file; fewer at its end."""
    file.seek(position)
    return file.read(length)


def _length(head):
    """Length of the tag that begins with these bytes; 0 for no tag."""
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) == _APE_BYTES:
        return _APE_BYTES + struct.unpack("<I", head[12:16])[0]
    return ID3V1_BYTES if head[:3] == b"TAG" else 0
