"""Containers of chunks: WAV in all its kinds, AIFF, Wave64 and Core Audio.

libsndfile believes the sizes in their headers. Here the sound is what lies between its header and the next chunk or the
end of the file, and where a size states something else, the decoder is given a mended header. Sound is missing where
the file ends before the stated end of the sound, and nothing shows that the size is wrong.
Source: RIFF/WAVE (Microsoft 1991), RF64 (EBU Tech 3306), BW64 (ITU-R BS.2088), AIFF-C (Apple 1991), Wave64 (Sonic
        Foundry), Core Audio Format (Apple 2005).
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from asc_tf.data.containers import mpeg
from asc_tf.data.containers.stream import NO_LENGTH, OTHER_LENGTH, Stream
from asc_tf.data.containers.tags import read_at

# Sizes of 32 bits from here on are written by programs that stream and cannot go back to fill them in
# (sox 0x7FFFF000, arecord 0x80000000, ffmpeg 0xFFFFFFFF): they state nothing where the file is shorter.
UNKNOWN_32 = 0x7FFFF000
_UNKNOWN_64 = 1 << 62
MISPLACED = "header whose parts are not where it states"
_MOST_32 = 0xFFFF_0000
_W64 = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # the end of the names of Wave64's chunks
_SEARCHED = 1 << 20
_TAIL = 1 << 16
_LAST = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML")  # chunks that programs write behind the sound
_MPEG_TAGS = (0x50, 0x55)
MAGICS = (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM", b"riff", b"caff")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a container writes its chunks.

    Args:
        head: Bytes before the first chunk.
        name: Bytes of a chunk's name.
        size: struct format of a chunk's size.
        counted: Bytes of a chunk's head that its size counts.
        align: Chunks begin at multiples of it.
        sound: Name of the chunk of the sound.
        described: Name of the chunk that describes it.
        kept: Names of other chunks that a decoder needs.
        total: Position in the head of the size of the container; None for none.
        before: Bytes in the chunk of the sound before the samples.
    """

    head: int
    name: int
    size: str
    counted: int
    align: int
    sound: bytes
    described: bytes
    kept: tuple[bytes, ...] = ()
    total: int | None = 4
    before: int = 0

    @property
    def chunk_head(self) -> int:
        """Bytes of a chunk's head."""
        return self.name + struct.calcsize(self.size)


_RIFF = _Kind(12, 4, "<I", 0, 2, b"data", b"fmt ")
_RIFX = _Kind(12, 4, ">I", 0, 2, b"data", b"fmt ")
_FORM = _Kind(12, 4, ">I", 0, 2, b"SSND", b"COMM", (b"FVER",), before=8)
_WAVE64 = _Kind(40, 16, "<Q", 24, 8, b"data" + _W64, b"fmt " + _W64, (b"fact" + _W64,), total=16)
_CORE = _Kind(8, 4, ">q", 0, 1, b"data", b"desc", (b"kuki", b"pakt", b"chan"), total=None, before=4)
_KINDS = {  # by the first bytes and the form
    (b"RIFF", b"WAVE"): _RIFF,
    (b"RF64", b"WAVE"): _RIFF,
    (b"BW64", b"WAVE"): _RIFF,
    (b"RIFX", b"WAVE"): _RIFX,
    (b"FORM", b"AIFF"): _FORM,
    (b"FORM", b"AIFC"): _FORM,
}


def stream(file: BinaryIO, start: int, end: int) -> Stream | None:
    """The stream of the container of chunks that begins at a position; None where there is none, or it has no sound.

    Args:
        file: The file.
        start: The position.
        end: End of the file.
    """
    head = read_at(file, start, 12)
    kind = {b"riff": _WAVE64, b"caff": _CORE}.get(head[:4]) or _KINDS.get((head[:4], head[8:12]))
    return _Container(file, start, end, kind, head[:4]).stream() if kind else None


def missing(count: int) -> str:
    """The fault of a stream that lacks some bytes."""
    return f"truncated: at least {count} byte(s) are missing at its end"


class _Container:
    def __init__(self, file, start, end, kind, magic):
        self.file, self.start, self.end, self.kind, self.magic = file, start, end, kind, magic
        self.kept = {}  # name: range of the body
        self.misplaced = False  # whether a chunk is not where the chunk before it ends

    def stream(self):
        at = self._find_sound()
        if at is None or self.kind.described not in self.kept:
            return None
        body = at + self.kind.chunk_head
        length, note, fault = self._length(body, self._stated(at))
        after = self._after(body + length)
        stop = body + length if after is None else after
        notes = (*((MISPLACED,) if self.misplaced else ()), *((note,) if note else ()))
        tag = struct.unpack("<H", self._body(self.kind.described)[:2].ljust(2, b"\0"))[0]
        if self.kind is _RIFF and tag in _MPEG_TAGS and (sound := mpeg.stream(self.file, body, body + length)):
            return Stream(sound.pieces, stop, (*notes, *sound.notes), fault or sound.fault)
        plain = not notes and self.magic != b"BW64"
        pieces = (range(self.start, stop),) if plain else self._mended(body, length)
        return Stream(pieces, stop, notes, fault)

    def _find_sound(self):
        """Position of the chunk of the sound; on the way the chunks that are kept."""
        position, kind = self.start + self.kind.head, self.kind
        while self._is_chunk(position):
            name = read_at(self.file, position, kind.name)
            if name == kind.sound:
                return position
            body, size = position + kind.chunk_head, self._size(position)
            if name in (kind.described, *kind.kept, b"ds64"):
                self.kept[name] = range(body, min(body + size, self.end))
            position = self._following(min(body + size, self.end))
        self.misplaced = True
        at = read_at(self.file, position, _SEARCHED).find(kind.sound)
        return position + at if at >= 0 and position + at + kind.chunk_head <= self.end else None

    def _following(self, position):
        """Where the next chunk begins: at a multiple of `align`, or where a program forgot that."""
        aligned = position + (self.start - position) % self.kind.align
        if aligned != position and not self._is_chunk(aligned) and self._is_chunk(position):
            self.misplaced = True
            return position
        return aligned

    def _is_chunk(self, position):
        head = read_at(self.file, position, self.kind.chunk_head)
        return (
            len(head) == self.kind.chunk_head
            and all(32 <= byte < 127 for byte in head[:4])
            and (head[: self.kind.name] == self.kind.sound or self._size(position) >= 0)
        )

    def _size(self, position):
        """Size of the body of a chunk as its head states it."""
        head = read_at(self.file, position + self.kind.name, struct.calcsize(self.kind.size))
        return struct.unpack(self.kind.size, head)[0] - self.kind.counted

    def _stated(self, at):
        """Size of the chunk of the sound; None for unknown."""
        size, body = self._size(at), at + self.kind.chunk_head
        if size == 0xFFFFFFFF and len(long := self._body(b"ds64")) >= 16:
            size = struct.unpack("<Q", long[8:16])[0]
        unknown = UNKNOWN_32 if self.kind.size.endswith("I") and size <= 0xFFFFFFFF else _UNKNOWN_64
        states_nothing = size >= unknown and (size > self.end - body or self._after(body + size) is None)
        return None if size < 0 or states_nothing else size

    def _body(self, name):
        place = self.kept.get(name, range(0))
        return read_at(self.file, place.start, min(len(place), 4096))

    def _length(self, body, stated):
        """(length of the sound, note, why sound is missing)."""
        present = self.end - body
        if stated is None or (stated <= self.kind.before < present and self._after(body + stated) is None):
            return self._tail(body) - body, NO_LENGTH, None
        complete = self._total() == self.end
        if stated > present:
            short = stated - present
            if complete or (short <= body - self.start and (present - self.kind.before) % self._frame() == 0):
                return present, OTHER_LENGTH, None
            return present, None, missing(short)
        if self._after(body + stated) is not None:
            return stated, None, None
        wrapped = stated + ((present - stated) >> 32 << 32)  # more than 4 GB, of which 32 bits state the rest
        if wrapped > stated and self._after(body + wrapped) is not None:
            return wrapped, OTHER_LENGTH, None
        if complete and self._not_zero(body + stated):
            return present, OTHER_LENGTH, None
        return stated, None, None

    def _total(self):
        """Where the container ends by its own size; -1 for unknown."""
        if self.kind.total is None:
            return -1
        size = struct.calcsize(self.kind.size)
        total = struct.unpack(self.kind.size, read_at(self.file, self.start + self.kind.total, size))[0]
        if total == 0xFFFFFFFF and len(long := self._body(b"ds64")) >= 8:
            total = struct.unpack("<Q", long[:8])[0]
        return self.start + total + (0 if self.kind is _WAVE64 else 8)

    def _frame(self):
        """Bytes of a sample of all channels."""
        about = self._body(self.kind.described)
        if self.kind is _FORM:
            channels, _, bits = struct.unpack(">HIH", about[:8].ljust(8, b"\0"))
            return max(1, channels * -(-bits // 8))
        if self.kind is _CORE:
            return max(1, struct.unpack(">I", about[16:20].rjust(4, b"\0"))[0])
        return max(1, struct.unpack(self.kind.size[0] + "H", about[12:14].rjust(2, b"\0"))[0])

    def _after(self, position):
        """Position behind the chunks that begin here, up to another container; None where something else follows."""
        while True:
            position = min(self._following(position), self.end)
            if self.end - position < self.kind.chunk_head or read_at(self.file, position, 4) in MAGICS:
                return position
            if not self._is_chunk(position) or self._size(position) < 0:
                return None
            position += self.kind.chunk_head + self._size(position)
            if position > self.end + 1:
                return None

    def _tail(self, body):
        """Where sound of unknown length ends: at known chunks that end with the file, or with it."""
        first = max(body, self.end - _TAIL)
        last = read_at(self.file, first, _TAIL)
        for name in _LAST:
            at = last.find(name)
            if at >= 0 and self._is_chunk(first + at) and self._after(first + at) == self.end:
                return first + at
        return self.end

    def _not_zero(self, position):
        return any(read_at(self.file, position, 1 << 16))

    def _mended(self, body, length):
        """The container with the chunks that a decoder needs, and right sizes."""
        kind, pieces = self.kind, []
        for name in (*kind.kept, kind.described):
            if name in self.kept:
                content = self._described(length) if name == kind.described else self.kept[name]
                padding = bytes(-len(content) % kind.align)
                pieces += [self._head(name, len(content)), content, padding]
        pieces += [self._head(kind.sound, length), range(body, body + length)]
        content = sum(map(len, pieces))
        head = bytearray(read_at(self.file, self.start, kind.head))
        if self.magic in (b"RIFF", b"RF64", b"BW64"):
            head[:4] = b"RIFF"
            if content > _MOST_32:
                long = struct.pack("<QQQI", content + 40, length, length // self._frame(), 0)
                pieces = [self._head(b"ds64", len(long)), long, *pieces]
                head[:4] = b"RF64"
        if kind.total is not None:
            total = content + kind.head - (0 if kind is _WAVE64 else 8)
            struct.pack_into(kind.size, head, kind.total, min(total, self._most()))
        return bytes(head), *pieces

    def _described(self, length):
        """The body of the chunk that describes the sound; AIFF has the number of samples in it."""
        place = self.kept[self.kind.described]
        if self.kind is not _FORM or len(place) < 8:
            return place
        about = bytearray(read_at(self.file, place.start, min(len(place), 4096)))
        struct.pack_into(">I", about, 2, min(0xFFFFFFFF, max(0, length - self.kind.before) // self._frame()))
        return bytes(about)

    def _head(self, name, length):
        return name + struct.pack(self.kind.size, min(length + self.kind.counted, self._most()))

    def _most(self):
        return 0xFFFFFFFF if self.kind.size.endswith("I") else (1 << 63) - 1
