"""Convolution of clips with impulse responses of devices, read from a folder or made up."""

import functools
import os
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile
import soxr
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.microphones import made_up

BUILT_IN = "built_in"  # in place of a folder: made-up microphones
COUNT, SEED = 24, 2024  # of them


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
    """Impulse responses: those of every audio file below a folder, in sorted order, as mono; or the built-in ones.

    Args:
        part: The augmentation, for its errors.
        folder: Searched recursively; "built_in" for those of 24 made-up microphones.
        sample_rate_hz: To resample to.

    Returns:
        (count, taps) float32, padded with zeros at the end.

    Raises:
        UserError: There is no such folder, no audio file in it, or one that cannot be used.
    """
    waves = _made_up(sample_rate_hz) if folder == BUILT_IN else _read_all(part, folder, sample_rate_hz)
    longest = max(map(len, waves))
    return np.stack([np.pad(wave, (0, longest - len(wave))) for wave in waves])


def _made_up(sample_rate_hz):
    waves = made_up.responses(COUNT, SEED).astype(np.float32)
    return [soxr.resample(wave, made_up.RATE_HZ, sample_rate_hz, "HQ") for wave in waves]


def _read_all(part, folder, sample_rate_hz):
    if not Path(folder).is_dir():
        raise UserError(
            f"augmentation/{part}: folder = '{folder}': there is no such folder. Name one that holds impulse responses "
            f"as audio files, MicIRP for example, or '{BUILT_IN}' for made-up microphones."
        )
    known = {f".{suffix.lower()}" for suffix in soundfile.available_formats()}
    files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in known)
    if not files:
        raise UserError(f"augmentation/{part}: folder = '{folder}': holds no audio file.")
    return [_read(file, sample_rate_hz) for file in files]


def _read(file, sample_rate_hz):
    try:
        wave, rate = soundfile.read(os.fsencode(file), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UserError(f"{file}: cannot be read as an impulse response ({error.error_string}).") from error
    wave = soxr.resample(wave.mean(1), rate, sample_rate_hz, "HQ")  # as librosa.load in the original
    if not len(wave) or not np.isfinite(wave).all():
        raise UserError(f"{file}: an impulse response must have samples, all of them finite.")
    return wave
