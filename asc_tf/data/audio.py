"""How does a file of any format, rate and channel count become 1-second pieces at one rate?

The whole file is resampled, then cut: this is what a device does that listens without a break, and
for a file of one segment it equals cutting first.
Source: soxr (the SoX resampler), quality HQ: measured flat to 0.01 dB up to 0.9 of the lower Nyquist
frequency, aliases and images below -120 dB, no delay (tests/data/test_audio.py).
"""

import os

import numpy as np
import soundfile
import soxr

from asc_tf.data import truncation as wholeness
from asc_tf.errors import UserError

# What libsndfile reads and people record in.
EXTENSIONS = frozenset(
    (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64")
)
FULL_SCALE = 32768
_BLOCK_FRAMES = 1 << 20


class Unreadable(UserError):
    """A file without usable sound.  `reason` tells why, in words for a report."""

    def __init__(self, file, reason):
        super().__init__(f"{file}: {reason}.")
        self.reason = reason


def read(file):
    """The sound of a file: (samples (n,) float32, mono as the mean of the channels, full scale 1; rate in Hz).

    Raises Unreadable for a file that is absent, empty, truncated, not audio, without samples or with
    samples that are not finite.
    """
    try:
        if os.path.getsize(file) == 0:
            raise Unreadable(file, "empty file (0 bytes)")
        samples, rate_hz, promised = _decode(file)
        missing = wholeness.missing_bytes(file)
    except OSError as error:
        raise Unreadable(file, f"cannot be opened ({error.strerror})") from error
    if missing:
        raise Unreadable(file, f"truncated: at least {missing} byte(s) are missing at its end")
    if len(samples) < promised:
        raise Unreadable(file, f"truncated: {len(samples)} frames where its header states {promised}")
    if not len(samples):
        raise Unreadable(file, "no samples (zero length)")
    if not np.isfinite(samples).all():
        raise Unreadable(file, "samples that are NaN or infinite")
    return samples, rate_hz


def resample(samples, rate_hz, to_hz):
    """The same sound at another rate: (n,) float32 becomes (round(n * to_hz / rate_hz),) float32."""
    if rate_hz == to_hz:
        return samples
    length = int(len(samples) * to_hz / rate_hz + 0.5)
    resampled = soxr.resample(samples, rate_hz, to_hz, quality="HQ")[:length]
    return np.pad(resampled, (0, length - len(resampled)))


def cut(samples, rate_hz, segment_s):
    """Pieces of `segment_s` seconds: (n,) becomes (segments, round(rate_hz * segment_s)) float32.

    The number of pieces is the duration rounded to whole pieces, half upwards and at least one: a rest
    shorter than half a piece is dropped, a longer one is filled up with zeros.
    """
    length = round(rate_hz * segment_s)
    segments = max(1, int(len(samples) / length + 0.5))
    pieces = np.zeros((segments, length), np.float32)
    kept = samples[: segments * length]
    pieces.reshape(-1)[: len(kept)] = kept
    return pieces


def to_int16(samples):
    """Rounded to 16 bits; what exceeds full scale is clipped.  Back: divide by FULL_SCALE."""
    return np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _decode(file):
    """(mono samples, rate in Hz, frames promised by the header), in blocks: an hour of stereo fits in memory."""
    try:
        with soundfile.SoundFile(file) as sound:
            blocks = [np.zeros(0, np.float32)]
            while len(block := sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
                blocks.append(block.mean(axis=1))
            # A FLAC stream of unknown length promises the largest number there is.
            promised = sound.frames if sound.frames < 1 << 62 else 0
            return np.concatenate(blocks), sound.samplerate, promised
    except soundfile.LibsndfileError as error:
        raise Unreadable(file, _failure(file, error)) from error
    except TypeError as error:
        raise Unreadable(file, "not audio: a raw file states no rate") from error


def _failure(file, error):
    if not os.access(file, os.R_OK):
        return "cannot be opened (no permission)"
    if wholeness.missing_bytes(file):
        return "truncated"
    with open(file, "rb") as opened:
        known = opened.read(4) in (b"fLaC", b"OggS", b"RIFF", b"RF64", b"riff", b"FORM", b"caff")
    return f"truncated or damaged (libsndfile error {error.code})" if known else "not audio that libsndfile reads"
