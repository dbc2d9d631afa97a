"""MPEG audio streams, layers I to III.

mpg123 estimates the length of a stream without a Xing header from its first frame and stops there, so the frames are
counted here and the decoder is given a header that states their number.
Source: ISO 11172-3 and 13818-3, section 2.4.1.3 (frame header); Xing and LAME tag
        (gabriel.mp3-tech.org/mp3infotag.html); VBRI (Fraunhofer).
"""

import struct
from typing import BinaryIO, NamedTuple

from asc_tf.data.containers import tags
from asc_tf.data.containers.stream import NO_LENGTH, OTHER_BYTES, OTHER_LENGTH, Stream

_KILOBITS = {  # by MPEG 1 or not, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = (44100, 48000, 32000)
_DIVISORS = {3: 1, 2: 2, 0: 4}  # MPEG 1, 2, 2.5
_WINDOW = 1 << 20
_SEARCHED = 1 << 18  # bytes before a frame
_SURE = 3  # frames that have to follow each other at the beginning; two behind other bytes in a stream
_XING_BYTES = 128  # of side information, tag, flags and numbers; a frame has to have them


class _Count(NamedTuple):
    """What the header frame of a stream states, and where in it mpg123 reads that; 0 for nothing and nowhere."""

    frames_at: int
    frames: int
    bytes_at: int
    bytes: int


class _Window:
    """Bytes of a file, read far ahead."""

    def __init__(self, file, end):
        self._file, self._end, self._first, self._bytes = file, end, 0, b""

    def at(self, position, length):
        first = position - self._first
        if first < 0 or first + length > len(self._bytes):
            self._first, first = position, 0
            self._bytes = tags.read_at(self._file, position, max(0, min(_WINDOW, self._end - position)))
        return self._bytes[first : first + length]

    def find_sync(self, position, stop):
        """Position of the next byte 0xFF before `stop`; None for none."""
        while position < stop:
            block = self.at(position, min(4096, self._end - position, stop - position))
            if not block:
                return None
            if (at := block.find(b"\xff")) >= 0:
                return position + at
            position += len(block)
        return None


def stream(file: BinaryIO, start: int, end: int) -> Stream | None:
    """The MPEG stream that begins at a position or up to 256 KB behind it; None where there is none.

    It ends where a tag, another header frame or a frame of another layer, rate or number of channels begins.

    Args:
        file: The file.
        start: The position.
        end: End of the file.
    """
    window = _Window(file, end)
    first = _resync(window, start, min(end, start + _SEARCHED), end, _SURE)
    if first is None:
        return None
    head = window.at(first, 4)
    count = _count(window.at(first, min(frame_bytes(head), end - first)), head)
    runs, frames, stop, cut = _frames(window, first, end, bool(count))
    notes = [OTHER_BYTES] if len(runs) > 1 or first > start else []
    fault = None
    if cut and not (count and count.frames and frames >= count.frames):
        fault = f"truncated: at least {cut} byte(s) are missing at its end"
    elif count and count.frames > frames + 1 and (not count.bytes or stop - first < count.bytes):
        fault = f"truncated: {frames} MPEG frames where its header states {count.frames}"
    elif _layer(head) != 3 and abs(sum(map(len, runs)) - frames * frame_bytes(head)) > 4 * frames:
        fault = "MPEG layer I or II of variable rate, which libsndfile does not read to its end; convert it"
    if not count or not count.frames:
        notes.append(NO_LENGTH)
    elif abs(count.frames - frames) > 1:
        notes.append(OTHER_LENGTH)
    pieces = () if fault else _pieces(window, head, count, runs, frames)
    return Stream(pieces, stop, tuple(notes), fault)


def _frames(window, first, end, has_header):
    """Walks through the frames of a stream.

    Returns (ranges of the file, number of frames but the header frame, end, bytes that the last frame lacks).
    """
    kind, frames, runs = _kind(window.at(first, 4)), -has_header, []
    position = run = last = first
    tag_at = _tag_position(window.at(first, 4))
    while position < end:
        head = window.at(position, 4)
        if (size := frame_bytes(head)) and _kind(head) == kind:
            if position > first and window.at(position + tag_at, 4) in (b"Xing", b"Info"):
                break
            if position + size > end:
                runs.append(range(run, position))
                return runs, frames, end, position + size - end
            last, position, frames = position, position + size, frames + 1
            continue
        if _begins_stream(window, position, end):
            break
        following = _resync(window, position, min(end, position + _SEARCHED), end, 2, kind)
        if following is None:
            break
        if last > first or not has_header:  # a frame of sound, which has lost its end
            position, frames = last, frames - 1
        runs.append(range(run, position))
        position = run = last = following
    runs.append(range(run, position))
    return runs, frames, position, 0


def _begins_stream(window, position, end):
    """Whether a tag, or frames of another kind, are at a position behind a frame."""
    return window.at(position, 3) in (b"ID3", b"TAG", b"APE") or _follow(window, position, end, _SURE)


def _resync(window, position, stop, end, sure, kind=None):
    """The position of the next `sure` frames of a kind; None where there are none."""
    while (found := window.find_sync(position, stop)) is not None:
        if (kind is None or _kind(window.at(found, 4)) == kind) and _follow(window, found, end, sure):
            return found
        position = found + 1
    return None


def _follow(window, position, end, sure):
    """Whether so many frames of one kind, or fewer up to the end of the file, follow each other."""
    kind = _kind(window.at(position, 4))
    for number in range(sure):
        if position == end and number:
            return True
        head = window.at(position, 4)
        size = frame_bytes(head)
        if not size or _kind(head) != kind:
            return number > 1 and window.at(position, 3) in (b"ID3", b"TAG", b"APE")
        position += size
    return True


def _kind(head):
    """What all frames of a stream have in common: version, layer, rate, one channel or two."""
    return (head[1] & 0xFE, head[2] & 0x0C, head[3] >> 6 == 3) if len(head) == 4 else None


def _layer(head):
    return 4 - (head[1] >> 1 & 3)  # 4 is reserved


def frame_bytes(head: bytes) -> int:
    """Length of the frame of a header; 0 for what is none, or a frame of free bit rate.

    Args:
        head: Its first four bytes.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, _layer(head)
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return 0
    per_second = _KILOBITS[version == 3, layer][bits - 1] * 1000
    rate_hz, padding = _RATES_HZ[rate] // _DIVISORS[version], head[2] >> 1 & 1
    if layer == 1:
        return (12 * per_second // rate_hz + padding) * 4
    return (144 if layer == 2 or version == 3 else 72) * per_second // rate_hz + padding


def _tag_position(head):
    """Position of "Xing" or "Info" in a frame: behind the side information of layer III."""
    mono, first_version = head[3] >> 6 == 3, head[1] >> 3 & 3 == 3
    return 4 + ((17 if mono else 32) if first_version else (9 if mono else 17))


def _count(frame, head):
    """What a frame states about the stream; None for a frame of sound."""
    at = _tag_position(head)
    if frame[at : at + 4] in (b"Xing", b"Info") and len(frame) >= at + 16:
        flags = frame[at + 7]
        frames_at = at + 8 if flags & 1 else 0
        bytes_at = (at + 8 + 4 * (flags & 1)) if flags & 2 else 0
        return _Count(frames_at, _number(frame, frames_at), bytes_at, _number(frame, bytes_at))
    if frame[36:40] == b"VBRI" and len(frame) >= 54:
        return _Count(0, _number(frame, 50), 0, _number(frame, 46))  # mpg123 does not read it
    return None


def _number(frame, at):
    return struct.unpack_from(">I", frame, at)[0] if at else 0


def _pieces(window, head, count, runs, frames):
    """The ranges, with a header frame in front that states the number of frames where the stream's own does not."""
    length = sum(map(len, runs))
    if count and count.frames_at and count.frames == frames:
        return tuple(runs)
    own = runs[0]
    size = frame_bytes(head)
    if count and count.frames_at:
        frame = bytearray(window.at(own.start, size))
        struct.pack_into(">I", frame, count.frames_at, frames)
        if count.bytes_at:
            struct.pack_into(">I", frame, count.bytes_at, length % (1 << 32))
        return bytes(frame), range(own.start + size, own.stop), *runs[1:]
    if _layer(head) != 3:
        return tuple(runs)  # of constant rate, whose length mpg123 computes
    sound = range(own.start + size if count else own.start, own.stop)
    return _header_frame(head, frames), sound, *runs[1:]


def _header_frame(head, frames):
    """A frame of silence with a Xing header."""
    for bits in range(1, 15):
        own = bytes([head[0], head[1] | 1, bits << 4 | head[2] & 0x0C, head[3]])
        if frame_bytes(own) >= _XING_BYTES:
            break
    frame = bytearray(frame_bytes(own))
    tag = struct.pack(">4sII", b"Xing", 1, frames)
    frame[:4], at = own, _tag_position(head)
    frame[at : at + len(tag)] = tag
    return bytes(frame)
