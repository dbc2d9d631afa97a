"""All streams of sound in a file, one after another."""

import os
import struct
from typing import BinaryIO

from asc_tf.data.containers import chunks, flac, mpeg, ogg, tags
from asc_tf.data.containers.stream import NO_LENGTH, OTHER_BYTES, OTHER_LENGTH, Stream

SEVERAL = "several streams one after another"
TAG_IN_FRONT = "tag in front of the sound"
MAGICS = (*chunks.MAGICS, b"OggS", b"fLaC", b".snd")


def find(file: BinaryIO) -> tuple[list[Stream], list[str]]:
    """The streams of a file, and notes on it.

    A file of no container that is known here is one stream, which libsndfile reads as it can.

    Args:
        file: The file, open for reading.

    Raises:
        OSError: It cannot be read.
    """
    end = file.seek(0, os.SEEK_END)
    first = position = tags.skip(file, 0, end)
    found, notes = [], []
    while position < end and (one := _stream(file, position, end)):
        found.append(one)
        position = tags.skip(file, one.stop, end)
    if not found:
        return [Stream((range(end),), end)], []
    if first and tags.read_at(file, first, 4) in MAGICS:
        notes.append(TAG_IN_FRONT)
    if len(found) > 1:
        notes.append(SEVERAL)
    if position < end:
        notes.append(OTHER_BYTES)
    return found, [*notes, *(note for one in found for note in one.notes)]


def _stream(file, position, end):
    for parse in (chunks.stream, ogg.stream, flac.stream, _au):
        if one := parse(file, position, end):
            return one
    return None if tags.read_at(file, position, 4) in MAGICS else mpeg.stream(file, position, end)


def _au(file, start, end):
    """The stream of an AU file, which has one header.  Source: Sun (1992)."""
    head = tags.read_at(file, start, 24)
    if head[:4] != b".snd" or len(head) < 24:
        return None
    body, stated = start + struct.unpack(">I", head[4:8])[0], struct.unpack(">I", head[8:12])[0]
    present = end - body
    if present < 0:
        return Stream((range(start, end),), end, fault="truncated: it ends in its header")
    if 0 < stated <= present:
        return Stream((range(start, body + stated),), body + stated)
    if body - start < stated - present and stated < chunks.UNKNOWN_32:
        return Stream((range(start, end),), end, fault=chunks.missing(stated - present))
    note = OTHER_LENGTH if 0 < stated < chunks.UNKNOWN_32 else NO_LENGTH
    mended = head[:8] + struct.pack(">I", min(present, 0xFFFFFFFF))
    return Stream((mended, range(start + len(mended), end)), end, (note,) if present else ())
