"""Which microphone recorded this? Convolves clips with the impulse responses of others (DIR).

Source: Morocutti et al., "Device-Robust Acoustic Scene Classification via Impulse Response
        Augmentation", EUSIPCO 2023; as executed in cpjku_dcase23: full linear convolution cut to the
        clip's length, responses resampled and not normalised, no delay or energy compensation.
"""

import functools
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile
import soxr
import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError

ON = "wave"


def apply(batch, seed, sample_rate_hz, *, p: float, folder: str, only_device: str = ""):
    """Each clip of `only_device` ("" for all) is convolved, with probability p, with a random response.

    folder: where the responses lie, any audio format, searched recursively, taken in sorted order.
    """
    _draws.check_share("device_impulse", p)
    waves = responses(folder, sample_rate_hz)
    chance, choice = _draws.split(seed, 2)
    count = tf.shape(batch["wave"])[0]
    hit = _draws.uniform([count], chance) < p
    if only_device:
        hit &= batch["device"] == only_device
    picked = tf.random.stateless_uniform([count], choice, 0, len(waves), tf.int32)
    rows = tf.where(hit)
    changed = convolve(tf.gather(batch["wave"], rows[:, 0]), tf.gather(picked, rows[:, 0]), waves)
    return batch | {"wave": tf.tensor_scatter_nd_update(batch["wave"], rows, changed)}


def convolve(wave, picked, responses):
    """The first `samples` of wave (batch, samples) convolved with responses[picked[i]].

    responses: (count, taps), zero-padded to one length.
    """
    samples = wave.shape[1]
    size = scipy.fft.next_fast_len(samples + responses.shape[1] - 1, real=True)
    size += size % 2
    spectra = tf.constant(np.fft.rfft(responses, size).astype(np.complex64))
    product = tf.signal.rfft(wave, [size]) * tf.gather(spectra, picked)
    return tf.signal.irfft(product, [size])[:, :samples]


@functools.lru_cache(maxsize=4)
def responses(folder, sample_rate_hz):
    """(count, taps) float32: every response of the folder, mono, at the rate, padded with zeros at the end."""
    if not Path(folder).is_dir():
        raise UserError(
            f"augmentation/device_impulse: folder = '{folder}': there is no such folder. "
            "Name one that holds impulse responses as audio files, MicIRP for example."
        )
    known = {f".{suffix.lower()}" for suffix in soundfile.available_formats()}
    files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in known)
    if not files:
        raise UserError(f"augmentation/device_impulse: folder = '{folder}': holds no audio file.")
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
