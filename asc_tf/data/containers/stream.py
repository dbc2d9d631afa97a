"""A stream of sound in a file, and the file object that presents it to a decoder."""

import io
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

NO_LENGTH = "header without a length"
OTHER_LENGTH = "header with another length than the sound"
OTHER_BYTES = "bytes that are no sound passed over"


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of sound, as a decoder has to read it so that it reaches the end.

    Args:
        pieces: What the decoder reads, in order: bytes, such as a mended header, and ranges of the file.
        stop: Position in the file behind the stream.
        notes: What was mended or is unusual, from a small number of phrases.
        fault: Why sound is missing; None where none is.
        frames: Samples of a channel that its header states, 0 for unknown; None where the decoder reads that.
        as_stated: Pieces that a decoder reads to the stated length only, for a stream that it fails to read otherwise.
    """

    pieces: tuple[bytes | range, ...]
    stop: int
    notes: tuple[str, ...] = ()
    fault: str | None = None
    frames: int | None = None
    as_stated: tuple[range, ...] = ()


class StreamFile(io.RawIOBase):
    """Pieces of a file as a seekable binary file of their own.

    Args:
        file: The file.
        pieces: As of a stream.

    Attributes:
        error: The first error of reading, which a decoder takes for the end of the file; None for none.
    """

    mode = "rb"  # soundfile opens objects as this states

    def __init__(self, file: BinaryIO, pieces: tuple[bytes | range, ...]):
        super().__init__()
        self._file, self._position, self.error = file, 0, None
        self._pieces = [piece for piece in pieces if len(piece)]
        self._starts = [0, *accumulate(map(len, self._pieces))]

    def readable(self) -> bool:
        """Whether it can be read: it can."""
        return True

    def seekable(self) -> bool:
        """Whether it can be sought in: it can."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position and returns it, as of a file."""
        base = (0, self._position, self._starts[-1])[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer) -> int:
        """Fills a buffer as far as there are bytes; returns their number."""
        view, done = memoryview(buffer).cast("B"), 0
        try:
            while done < len(view) and (count := self._read_some(view[done:])):
                done += count
                self._position += count
        except OSError as error:
            self.error = self.error or error
        return done

    def _read_some(self, view):
        number = bisect_right(self._starts, self._position) - 1
        if number >= len(self._pieces):
            return 0
        piece, first = self._pieces[number], self._position - self._starts[number]
        count = min(len(view), len(piece) - first)
        if isinstance(piece, bytes):
            view[:count] = piece[first : first + count]
            return count
        self._file.seek(piece.start + first)
        return self._file.readinto(view[:count])
