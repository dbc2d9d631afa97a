"""Writes WAV files."""

import wave
from pathlib import Path

import numpy as np


def write_wav(file: Path, samples: np.ndarray, *, rate_hz: int, sample_bytes: int) -> None:
    """Writes mono PCM by plain file writes, so that a full disk is an OSError.

    Args:
        file: The new file.
        samples: (samples,), above -1 and below 1.
        rate_hz: Sample rate.
        sample_bytes: 2 for 16 bits, 3 for 24 bits.

    Raises:
        OSError: The file cannot be written, or the disk is full.
    """
    whole = np.rint(samples * 2 ** (8 * sample_bytes - 1)).astype("<i4")
    with wave.open(str(file), "wb") as out:
        out.setparams((1, sample_bytes, rate_hz, len(samples), "NONE", ""))
        out.writeframes(whole.view(np.uint8).reshape(-1, 4)[:, :sample_bytes].tobytes())
