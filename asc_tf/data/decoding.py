"""Decodes the streams of an audio file to their end, and names what is wrong with a file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from asc_tf.data.containers import streams
from asc_tf.data.containers.stream import OTHER_BYTES, OTHER_LENGTH, Stream, StreamFile
from asc_tf.errors import UserError

RATES_HZ = (1_000, 768_000)  # below, no scene is left and a short file becomes hours; above, no converter records
_UNKNOWN = 1 << 62  # libsndfile states about this many samples for streams of unknown length
_BLOCK = 1 << 18  # values of a block in all channels: 1 MB


class UnreadableAudio(UserError):
    """A file without usable audio.

    Args:
        file: Path of the file.
        reason: The reason in words, for a report; also an attribute.
    """

    def __init__(self, file: Path | str, reason: str):
        super().__init__(f"{file}: {reason}.")
        self.reason = reason


class Decoder(soundfile.SoundFile):
    """The decoder of one stream, which is read from its beginning to its end.

    Args:
        file: The file, open for reading.
        pieces: As of a stream.
    """

    def __init__(self, file: BinaryIO, pieces: tuple[bytes | range, ...]):
        self._stream_file, self._frames_read = StreamFile(file, pieces), 0
        super().__init__(self._stream_file)
        self._check()

    def seekable(self) -> bool:
        """Not: soundfile would seek to where it is after every block, which streams of unknown length do not allow."""
        return False

    def blocks_from(self, first: int = 0) -> Iterator[np.ndarray]:
        """The samples from one on, (samples, channels) float32 each, of at most _BLOCK values."""
        while len(block := self._next_block()):
            if len(new := block[max(0, first - self._frames_read + len(block)) :]):
                yield new

    def _next_block(self):
        frames = min(max(1, _BLOCK // self.channels), max(0, self.frames - self._frames_read))
        block = self.read(frames, dtype="float32", always_2d=True)
        self._frames_read += len(block)
        self._check()
        return block

    def _check(self):
        if self._stream_file.error:
            raise self._stream_file.error


def rate_hz(file: BinaryIO, path: Path | str, stream: Stream) -> int:
    """The sample rate of a stream.

    Args:
        file: The file, open for reading.
        path: Its path, for a message.
        stream: The stream.

    Raises:
        UnreadableAudio: It is not audio that libsndfile reads, or its rate is outside of RATES_HZ.
    """
    with as_unreadable(path), Decoder(file, stream.pieces) as decoder:
        if fault := rate_fault(decoder.samplerate):
            raise UnreadableAudio(path, fault)
        return decoder.samplerate


def rate_fault(rate_hz: int) -> str | None:
    """Why a file of a sample rate is not read; None for a rate within RATES_HZ.

    Args:
        rate_hz: Sample rate of the file.
    """
    least, most = RATES_HZ
    return None if least <= rate_hz <= most else f"a sample rate of {rate_hz:,} Hz, outside of {least:,} to {most:,}"


def blocks(file: BinaryIO, path: Path | str, stream: Stream, notes: list[str]) -> Iterator[np.ndarray]:
    """The samples of a stream.

    Args:
        file: The file, open for reading.
        path: Its path, for a message.
        stream: The stream.
        notes: List to which notes are added.

    Yields:
        (samples, channels) float32.

    Raises:
        UnreadableAudio: The decoder fails, or there are fewer samples than the header states.
    """
    frames, damage = 0, None
    try:
        for block in _decoded(file, path, stream.pieces):
            frames += len(block)
            yield block
    except UnreadableAudio as error:
        damage = error
    if damage and not stream.as_stated:
        raise damage
    if damage:
        notes.append(OTHER_BYTES)
        for block in _decoded(file, path, stream.as_stated, frames):
            frames += len(block)
            yield block
    if stream.frames:
        _check_frames(path, frames, stream.frames)
    if stream.frames and stream.frames < frames:
        notes.append(OTHER_LENGTH)


def _decoded(file, path, pieces, first=0):
    frames = first
    with as_unreadable(path), Decoder(file, pieces) as decoder:
        for block in decoder.blocks_from(first):
            frames += len(block)
            yield block
        if decoder.frames < _UNKNOWN:
            _check_frames(path, frames, decoder.frames)


def _check_frames(path, frames, stated):
    if frames < stated:
        raise UnreadableAudio(path, f"truncated: {frames} frames where its header states {stated}")


@contextlib.contextmanager
def as_unreadable(path: Path | str) -> Iterator[None]:
    """Turns the errors of opening and decoding a file into UnreadableAudio.

    Args:
        path: Path of the file.
    """
    try:
        yield
    except OSError as error:
        raise UnreadableAudio(path, f"cannot be opened ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        raise UnreadableAudio(path, _failure(path, error)) from error
    except TypeError as error:
        raise UnreadableAudio(path, "not audio: a raw file states no rate") from error


def _failure(path, error):
    with open(path, "rb") as opened:
        is_audio = opened.read(4) in streams.MAGICS
    fault = error.error_string.strip().rstrip(".")
    return f"truncated or damaged (libsndfile: {fault})" if is_audio else "not audio that libsndfile reads"
