"""Does a file hold all the sound that its header promises?

libsndfile reads a truncated WAV, AIFF or Ogg file without a word, so the containers are read here.
Source: RIFF/WAVE (Microsoft 1991), RF64 (EBU Tech 3306), AIFF-C (Apple 1991), Ogg (RFC 3533),
Core Audio Format (Apple 2005), Wave64 (Sonic Foundry), AU (Sun).
"""

import os
import struct

# Sizes from here on are written by programs that stream and cannot go back to fill them in
# (sox 0x7FFFF000, arecord 0x80000000, ffmpeg 0xFFFFFFFF): no promise is made.
_NO_PROMISE = 0x7FFFF000
_OGG_PAGE_LIMIT = 65307
_OGG_END_OF_STREAM = 4


def missing_bytes(path):
    """At least how many bytes are missing at the end; 0 where none is or the container makes no promise."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        kind = file.read(4)
        if kind in (b"RIFF", b"RF64", b"RIFX", b"FORM"):
            return _chunks(file, size, kind)
        if kind == b"OggS":
            return _ogg(file, size)
        if kind == b"caff":
            return _core_audio(file, size)
        if kind == b"riff":
            return _wave64(file, size)
        if kind == b".snd":
            return _au(file, size)
    return 0


def _chunks(file, size, kind):
    order = ">" if kind in (b"RIFX", b"FORM") else "<"
    wide, place = None, 12
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64":
            wide = struct.unpack("<QQ", file.read(16))[1] if size >= place + 24 else None
        if name in (b"data", b"SSND"):
            return _missing(length, wide, size - place - 8)
        place += 8 + length + length % 2
    return 0


def _missing(length, wide, present):
    if length == 0xFFFFFFFF and wide is not None:
        return max(0, wide - present)
    return max(0, length - present) if length < _NO_PROMISE else 0


def _core_audio(file, size):
    place = 8
    while place + 12 <= size:
        file.seek(place)
        name, length = struct.unpack(">4sq", file.read(12))
        if name == b"data" or length < 0:
            return max(0, length - (size - place - 12))
        place += 12 + length
    return 0


def _au(file, size):
    start, length = struct.unpack(">II", file.read(8).ljust(8, b"\xff"))
    return max(0, start + length - size) if length < _NO_PROMISE else 0


def _wave64(file, size):
    """The size in the head, after a 16-byte identifier, counts the whole file."""
    file.seek(16)
    return max(0, struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0] - size)


def _ogg(file, size):
    """Looks at the last page only: whole, or cut in its header or in its body?"""
    file.seek(max(0, size - _OGG_PAGE_LIMIT - 27))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return 1
    length = 27 + page[26] + sum(page[27 : 27 + page[26]])
    if length < len(page) and not page[5] & _OGG_END_OF_STREAM:
        return 1
    return max(0, length - len(page))
