"""Ogg streams: Vorbis, Opus, FLAC and Speex in Ogg.

Source: RFC 3533, sections 4 (chained streams) and 6 (pages).
"""

import struct
import zlib
from typing import BinaryIO

from asc_tf.data.containers.stream import OTHER_BYTES, Stream

DAMAGED_PAGE = "damaged or missing pages"
NO_END = "no end mark: it may be shorter than it was"
_HEAD = 27
_FIRST, _LAST = 2, 4
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BLOCK = 1 << 16


def stream(file: BinaryIO, start: int, end: int) -> Stream | None:
    """The Ogg stream that begins at a position, up to where another one is chained to it; None where there is none.

    Args:
        file: The file.
        start: The position.
        end: End of the file.
    """
    position = run = start
    begun, ended, runs, notes, numbers = False, False, [], {}, {}
    while (page := _page(file, position)) is not None:
        head, length = page
        flags, serial, number = head[5], head[14:18], struct.unpack("<I", head[18:22])[0]
        if begun and flags & _FIRST:
            break
        if position + length > end:
            return _cut(start, end, f"truncated: at least {position + length - end} byte(s) are missing at its end")
        begun, ended = begun or not flags & _FIRST, ended or bool(flags & _LAST)
        if not _undamaged(file, position, head, length) or number != numbers.get(serial, number - 1) + 1:
            notes[DAMAGED_PAGE] = True
        numbers[serial] = number
        position += length
        if position < end and not _page(file, position):
            following = _find(file, position, end)
            if following is None:
                break
            runs.append(range(run, position))
            notes[OTHER_BYTES], position = True, following
            run = following
    if position == start:
        return None
    if not ended and position < end and not _page(file, position):
        return _cut(start, end, "truncated: no end mark, and what follows the sound is none")
    if not ended:
        notes[NO_END] = True
    return Stream((*runs, range(run, position)), position, tuple(notes))


def _cut(start, end, fault):
    return Stream((range(start, end),), end, fault=fault)


def _page(file, position):
    """(head with its table, length of the whole page) of the page at a position; None where there is none."""
    file.seek(position)
    head = file.read(_HEAD)
    if head[:4] != b"OggS":
        return None
    if len(head) < _HEAD:
        return head.ljust(_HEAD, b"\0"), _HEAD
    table = file.read(head[26])
    return head + table, _HEAD + head[26] + sum(table)


def _undamaged(file, position, head, length):
    """Whether the checksum of a page is right: a CRC-32 of the polynomial of zlib's, with the bits in reverse order."""
    file.seek(position + len(head))
    page = head[:22] + bytes(4) + head[26:] + file.read(length - len(head))
    checksum = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{checksum:032b}"[::-1], 2) == struct.unpack("<I", head[22:26])[0]


def _find(file, position, end):
    """Position of the next page; None for none."""
    file.seek(position)
    kept = b""
    while position < end and (block := file.read(min(_BLOCK, end - position))):
        joined = kept + block
        if (at := joined.find(b"OggS")) >= 0:
            return position - len(kept) + at
        position, kept = position + len(block), joined[-3:]
    return None
