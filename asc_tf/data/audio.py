"""Reads audio files of any format, rate and channel count, block by block, and turns them into segments at one rate.

The whole file is resampled, then cut, as a device does that records without a break; for a file of one segment this
equals cutting first. Blocks are resampled by one filter that runs through them: their samples are, bit for bit, those
of the whole file resampled at once.
Source: soxr (the SoX resampler), quality HQ: measured flat to 0.01 dB up to 0.9 of the lower Nyquist frequency,
        aliases and images below -120 dB, no delay (tests/data/test_audio.py).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from asc_tf.data import decoding, levels
from asc_tf.data.containers import streams
from asc_tf.data.decoding import UnreadableAudio

# Formats that libsndfile reads and that recordings usually have.
EXTENSIONS = frozenset(
    (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64")
)
FULL_SCALE = 32768
LONGEST_S = 7 * 24 * 3600  # a file of some megabytes may hold months of silence
_BLOCK = 1 << 18  # samples that are resampled at once


class Recording:
    """An audio file that is read from its beginning to its end, once, in blocks of bounded size.

    A context manager. Samples are the mean of the channels, full scale 1; those beyond full scale, which files of
    floats may have, are clipped as a converter does.

    Args:
        file: Path of the file.

    Attributes:
        rate_hz: Sample rate of the file.
        notes: What was repaired or is unusual, one phrase each; complete after the last block.

    Raises:
        UnreadableAudio: The file is absent, empty, truncated, not audio or has a rate outside of decoding.RATES_HZ.
    """

    def __init__(self, file: Path | str):
        self.file = file
        with decoding.as_unreadable(file):
            self._opened = open(file, "rb")  # noqa: SIM115
        try:
            with decoding.as_unreadable(file):
                self._streams, self.notes = streams.find(self._opened)
            if not self._streams[0].stop:
                raise UnreadableAudio(file, "empty file (0 bytes)")
            for fault in filter(None, (one.fault for one in self._streams)):
                raise UnreadableAudio(file, fault)
            self.rate_hz = decoding.rate_hz(self._opened, file, self._streams[0])
        except UnreadableAudio:
            self._opened.close()
            raise

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_):
        self._opened.close()

    def blocks(self, sample_rate_hz: int | None = None) -> Iterator[np.ndarray]:
        """The samples, block after block.

        Args:
            sample_rate_hz: Rate that they are resampled to; None for the file's.

        Yields:
            (samples,) float32, of any length. Together they have resampled_length of the file's samples.

        Raises:
            UnreadableAudio: The file has no samples, fewer than its header states, samples that are not finite or far
                beyond full scale, or channels that cancel each other. The last is known at the end of the file only.
        """
        return resampled(self._mono(), self.rate_hz, sample_rate_hz or self.rate_hz)

    def segments(self, sample_rate_hz: int, segment_s: float) -> Iterator[np.ndarray]:
        """The segments that `cut` makes of the whole file, some at a time.

        Args:
            sample_rate_hz: Rate that the samples are resampled to.
            segment_s: Length of a segment in seconds.

        Yields:
            (segments, round(sample_rate_hz * segment_s)) float32; at least one segment in all.

        Raises:
            UnreadableAudio: As of `blocks`.
        """
        length = round(sample_rate_hz * segment_s)
        rest, first = np.zeros(0, np.float32), True
        for block in self.blocks(sample_rate_hz):
            rest = np.concatenate([rest, block])
            whole = len(rest) // length
            if whole:
                yield rest[: whole * length].reshape(whole, length)
                rest, first = rest[whole * length :], False
        if first or 2 * len(rest) >= length:
            yield cut(rest, sample_rate_hz, segment_s)

    def _mono(self):
        """The mean of the channels at the file's rate, block after block, checked."""
        found, notes = levels.Levels(), self.notes
        for one in self._streams:
            first = one is self._streams[0]
            rate_hz = self.rate_hz if first else decoding.rate_hz(self._opened, self.file, one)
            yield from resampled(self._mean(one, found, notes), rate_hz, self.rate_hz)
        if not found.frames:
            raise UnreadableAudio(self.file, "no samples (zero length)")
        if fault := found.fault():
            raise UnreadableAudio(self.file, fault)
        self.notes = list(dict.fromkeys(notes + found.notes()))

    def _mean(self, one, found, notes):
        """The mean of the channels of a stream, block after block, checked."""
        for block in decoding.blocks(self._opened, self.file, one, notes):
            mono = np.clip(block, -1, 1).mean(axis=1)
            if fault := found.add(block, mono):
                raise UnreadableAudio(self.file, fault)
            if found.frames > LONGEST_S * self.rate_hz:
                raise UnreadableAudio(self.file, f"longer than {LONGEST_S // 3600} hours; divide it")
            yield mono


def read(file: Path | str) -> tuple[np.ndarray, int]:
    """The samples of a whole file.

    Returns:
        Samples (n,) float32 of `Recording.blocks`, and their rate in Hz.

    Raises:
        UnreadableAudio: As of Recording and its blocks.
    """
    with Recording(file) as recording:
        return np.concatenate(list(recording.blocks())), recording.rate_hz


def resample(samples: np.ndarray, rate_hz: int, to_hz: int) -> np.ndarray:
    """Resamples audio to another rate.

    Args:
        samples: (n,) float32.
        rate_hz: Their rate.
        to_hz: The new rate.

    Returns:
        (round(n * to_hz / rate_hz),) float32; the argument itself where the rates are equal.
    """
    if rate_hz == to_hz:
        return samples
    parts = np.array_split(samples, -(-len(samples) // _BLOCK) or 1)
    return np.concatenate(list(resampled(iter(parts), rate_hz, to_hz)))


def resampled(blocks: Iterator[np.ndarray], rate_hz: int, to_hz: int) -> Iterator[np.ndarray]:
    """Resamples audio block by block.

    Args:
        blocks: (n,) float32 each.
        rate_hz: Their rate.
        to_hz: The new rate.

    Yields:
        (m,) float32, together resampled_length of all samples, and equal to those of the joined blocks.
    """
    if rate_hz == to_hz:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_hz, to_hz, 1, quality="HQ")
    taken = given = 0
    for block in blocks:
        taken += len(block)
        new = stream.resample_chunk(block)
        given += len(new)
        yield new
    last = stream.resample_chunk(np.zeros(0, np.float32), last=True)
    left = resampled_length(taken, rate_hz, to_hz) - given
    yield np.pad(last[:left], (0, max(0, left - len(last))))


def resampled_length(samples: int, rate_hz: int, to_hz: int) -> int:
    """Number of samples after resampling, rounded half upwards.

    Args:
        samples: Number of samples before.
        rate_hz: Their rate.
        to_hz: The new rate.
    """
    return int(samples * to_hz / rate_hz + 0.5)


def segment_count(samples: int, length: int) -> int:
    """Number of segments that audio is cut into: its duration rounded to whole ones, half upwards, at least one.

    Args:
        samples: Number of samples.
        length: Samples in a segment.
    """
    return max(1, int(samples / length + 0.5))


def cut(samples: np.ndarray, rate_hz: int, segment_s: float) -> np.ndarray:
    """Cuts audio into segments of equal length.

    There are segment_count of them: a rest shorter than half a segment is dropped, a longer one is padded with zeros.

    Args:
        samples: (n,) float32.
        rate_hz: Their rate.
        segment_s: Length of a segment in seconds.

    Returns:
        (segments, round(rate_hz * segment_s)) float32.
    """
    length = round(rate_hz * segment_s)
    count = segment_count(len(samples), length)
    segments = np.zeros((count, length), np.float32)
    used = samples[: count * length]
    segments.reshape(-1)[: len(used)] = used
    return segments


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Rounds samples of full scale 1 to int16, clipped at full scale; divide by FULL_SCALE to come back."""
    return np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
