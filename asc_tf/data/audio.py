"""Reads audio files of any format, rate and channel count, and turns them into segments at one rate.

The whole file is resampled, then cut, as a device does that records without a break; for a file of one segment this
equals cutting first.
Source: soxr (the SoX resampler), quality HQ: measured flat to 0.01 dB up to 0.9 of the lower Nyquist frequency,
        aliases and images below -120 dB, no delay (tests/data/test_audio.py).
"""

import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

from asc_tf.data import truncation
from asc_tf.errors import UserError

# Formats that libsndfile reads and that recordings usually have.
EXTENSIONS = frozenset(
    (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64")
)
FULL_SCALE = 32768
RATES_HZ = (1_000, 768_000)  # below, no scene is left and a short file becomes hours; above, no converter records
LOUDEST = 8.0  # 18 dB above full scale: floats beyond are not of full scale 1, but integers of 16 bits for example
CANCELLED = 0.01  # 40 dB: a mean of the channels that is so far below them is what is left of inverted copies
_BLOCK_FRAMES = 1 << 20


class UnreadableAudio(UserError):
    """A file without usable audio.

    Args:
        file: Path of the file.
        reason: The reason in words, for a report; also an attribute.
    """

    def __init__(self, file: Path | str, reason: str):
        super().__init__(f"{file}: {reason}.")
        self.reason = reason


def read(file: Path | str) -> tuple[np.ndarray, int]:
    """Reads the samples of a file as one channel.

    Samples beyond full scale, which files of floats may have, are clipped as a converter does.

    Returns:
        Samples (n,) float32, the mean of the channels, full scale 1; and their rate in Hz.

    Raises:
        UnreadableAudio: The file is absent, empty, truncated, not audio, without samples, has samples that are not
            finite or beyond LOUDEST, channels that cancel each other, or a rate outside RATES_HZ.
    """
    try:
        if os.path.getsize(file) == 0:
            raise UnreadableAudio(file, "empty file (0 bytes)")
        samples, rate_hz, stated_frames, levels = _decode(file)
        missing = truncation.missing_bytes(file)
    except OSError as error:
        raise UnreadableAudio(file, f"cannot be opened ({error.strerror})") from error
    if missing:
        raise UnreadableAudio(file, f"truncated: at least {missing} byte(s) are missing at its end")
    if len(samples) < stated_frames:
        raise UnreadableAudio(file, f"truncated: {len(samples)} frames where its header states {stated_frames}")
    if not len(samples):
        raise UnreadableAudio(file, "no samples (zero length)")
    check_levels(file, *levels)
    return samples, rate_hz


def rate_fault(rate_hz: int) -> str | None:
    """Why a file of a sample rate is not read; None for a rate within RATES_HZ.

    Args:
        rate_hz: Sample rate of the file.
    """
    least, most = RATES_HZ
    return None if least <= rate_hz <= most else f"a sample rate of {rate_hz:,} Hz, outside of {least:,} to {most:,}"


def check_levels(file: Path | str, peak: float, channel_rms: float, mean_rms: float) -> None:
    """Checks that samples are numbers of full scale 1, and that something is left of the channels in their mean.

    Args:
        file: Path of the file, for the message.
        peak: Largest absolute value in any channel.
        channel_rms: Root of the mean square of the loudest channel.
        mean_rms: That of the mean of the channels.

    Raises:
        UnreadableAudio: They are not.
    """
    if not np.isfinite([peak, channel_rms, mean_rms]).all():
        raise UnreadableAudio(file, "samples that are NaN or infinite")
    if peak > LOUDEST:
        fix = "divide them so that full scale is 1 (16-bit integers by 32,768)"
        raise UnreadableAudio(file, f"samples up to {peak:,.0f} times full scale; {fix}")
    if mean_rms < CANCELLED * channel_rms:
        raise UnreadableAudio(file, "channels that cancel each other in their mean; save one of them")


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
    length = resampled_length(len(samples), rate_hz, to_hz)
    resampled = soxr.resample(samples, rate_hz, to_hz, quality="HQ")[:length]
    return np.pad(resampled, (0, length - len(resampled)))


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


def _decode(file):
    """(mono samples, rate in Hz, frames stated by the header, (peak, RMS of a channel, of the mean)).

    In blocks: an hour of stereo fits in memory.
    """
    try:
        with soundfile.SoundFile(file) as audio:
            if fault := rate_fault(audio.samplerate):
                raise UnreadableAudio(file, fault)
            blocks, peak, power = [np.zeros(0, np.float32)], 0.0, np.zeros(audio.channels)
            while len(block := audio.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
                peak = np.maximum(peak, np.abs(block).max())
                power += np.sum(np.square(block, dtype=np.float64), axis=0)
                blocks.append(np.clip(block, -1, 1).mean(axis=1))
            samples = np.concatenate(blocks)
            powers = (
                power.max() / max(1, len(samples)),
                np.mean(np.square(samples, dtype=np.float64)) if len(samples) else 0,
            )
            levels = peak, *np.sqrt(powers)
            # The header of a FLAC stream of unknown length states the largest number there is.
            stated_frames = audio.frames if audio.frames < 1 << 62 else 0
            return samples, audio.samplerate, stated_frames, levels
    except soundfile.LibsndfileError as error:
        raise UnreadableAudio(file, _failure(file, error)) from error
    except TypeError as error:
        raise UnreadableAudio(file, "not audio: a raw file states no rate") from error


def _failure(file, error):
    if not os.access(file, os.R_OK):
        return "cannot be opened (no permission)"
    if truncation.missing_bytes(file):
        return "truncated"
    with open(file, "rb") as opened:
        is_audio = opened.read(4) in (b"fLaC", b"OggS", b"RIFF", b"RF64", b"riff", b"FORM", b"caff")
    return f"truncated or damaged (libsndfile error {error.code})" if is_audio else "not audio that libsndfile reads"
