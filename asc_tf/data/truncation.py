"""Detects audio files that are shorter than their header states.

libsndfile reads a truncated WAV, AIFF or Ogg file without an error, so the containers are parsed here.
Source: RIFF/WAVE (Microsoft 1991), RF64 (EBU Tech 3306), AIFF-C (Apple 1991), Ogg (RFC 3533),
        Core Audio Format (Apple 2005), Wave64 (Sonic Foundry), AU (Sun).
"""

import os
import struct
from pathlib import Path

# Sizes from here on are written by programs that stream and cannot go back to fill them in
# (sox 0x7FFFF000, arecord 0x80000000, ffmpeg 0xFFFFFFFF): they state nothing.
_UNKNOWN_SIZE = 0x7FFFF000
_OGG_PAGE_LIMIT = 65307
_OGG_END_OF_STREAM = 4


def missing_bytes(file: Path | str) -> int:
    """The least number of bytes that are missing at the end of a file; 0 where none is or the container has no size.

    Raises:
        OSError: The file cannot be read.
    """
    size = os.path.getsize(file)
    with open(file, "rb") as opened:
        kind = opened.read(4)
        if kind in (b"RIFF", b"RF64", b"RIFX", b"FORM"):
            return _chunks(opened, size, kind)
        if kind == b"OggS":
            return _ogg(opened, size)
        if kind == b"caff":
            return _core_audio(opened, size)
        if kind == b"riff":
            return _wave64(opened, size)
        if kind == b".snd":
            return _au(opened, size)
    return 0


def _chunks(file, size, kind):
    order = ">" if kind in (b"RIFX", b"FORM") else "<"
    long_size, offset = None, 12
    while offset + 8 <= size:
        file.seek(offset)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64":
            long_size = struct.unpack("<QQ", file.read(16))[1] if size >= offset + 24 else None
        if name in (b"data", b"SSND"):
            return _missing(length, long_size, size - offset - 8)
        offset += 8 + length + length % 2
    return 0


def _missing(length, long_size, present):
    if length == 0xFFFFFFFF and long_size is not None:
        return max(0, long_size - present)
    return max(0, length - present) if length < _UNKNOWN_SIZE else 0


def _core_audio(file, size):
    offset = 8
    while offset + 12 <= size:
        file.seek(offset)
        name, length = struct.unpack(">4sq", file.read(12))
        if name == b"data" or length < 0:
            return max(0, length - (size - offset - 12))
        offset += 12 + length
    return 0


def _au(file, size):
    start, length = struct.unpack(">II", file.read(8).ljust(8, b"\xff"))
    return max(0, start + length - size) if length < _UNKNOWN_SIZE else 0


def _wave64(file, size):
    """The size in the head, after a 16-byte identifier, counts the whole file."""
    file.seek(16)
    return max(0, struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0] - size)


def _ogg(file, size):
    """Parses the last page only: complete, or cut in its header or in its body."""
    file.seek(max(0, size - _OGG_PAGE_LIMIT - 27))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return 1
    length = 27 + page[26] + sum(page[27 : 27 + page[26]])
    if length < len(page) and not page[5] & _OGG_END_OF_STREAM:
        return 1
    return max(0, length - len(page))
