"""Convolution of clips with impulse responses of devices, read from a folder."""

import functools
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile
import soxr
import tensorflow as tf

from asc_tf.errors import UserError


def convolve(wave: tf.Tensor, indices: tf.Tensor, responses: np.ndarray) -> tf.Tensor:
    """Convolves each clip with one impulse response, cut to the clip's length.

    Args:
        wave: (batch, samples) float32.
        indices: (batch,) integers, the response of each clip.
        responses: (count, taps) float32, zero-padded to one length.

    Returns:
        (batch, samples) float32.
    """
    samples = wave.shape[1]
    responses = responses[:, :samples]
    size = fft_size(samples + responses.shape[1] - 1)
    with tf.init_scope():  # captured by the graph: as a constant it would be copied into every one
        spectra = tf.constant(np.fft.rfft(responses, size).astype(np.complex64))
    product = tf.signal.rfft(wave, [size]) * tf.gather(spectra, indices)
    return tf.signal.irfft(product, [size])[:, :samples]


def fft_size(least: int) -> int:
    """The next even length from `least` that transforms fast."""
    return 2 * scipy.fft.next_fast_len(-(-least // 2), real=True)


@functools.lru_cache(maxsize=4)
def responses(part: str, folder: str, sample_rate_hz: int) -> np.ndarray:
    """Reads every impulse response below a folder: any audio format, in sorted order, as mono.

    Args:
        part: The augmentation, for its errors.
        folder: Searched recursively.
        sample_rate_hz: To resample to.

    Returns:
        (count, taps) float32, padded with zeros at the end.

    Raises:
        UserError: There is no such folder, no audio file in it, or one that cannot be used.
    """
    if not Path(folder).is_dir():
        raise UserError(
            f"augmentation/{part}: folder = '{folder}': there is no such folder. "
            "Name one that holds impulse responses as audio files, MicIRP for example."
        )
    known = {f".{suffix.lower()}" for suffix in soundfile.available_formats()}
    files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in known)
    if not files:
        raise UserError(f"augmentation/{part}: folder = '{folder}': holds no audio file.")
    waves = [_read(file, sample_rate_hz) for file in files]
    longest = max(map(len, waves))
    return np.stack([np.pad(wave, (0, longest - len(wave))) for wave in waves])


def _read(file, sample_rate_hz):
    try:
        wave, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UserError(f"{file}: cannot be read as an impulse response ({error.error_string}).") from error
    wave = soxr.resample(wave.mean(1), rate, sample_rate_hz, "HQ")  # as librosa.load in the original
    if not len(wave) or not np.isfinite(wave).all():
        raise UserError(f"{file}: an impulse response must have samples, all of them finite.")
    return wave
