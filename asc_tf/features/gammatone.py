"""How loud is each band of the ear, when? A spectrogram of gammatone filters.

Source:  the package gammatone 1.0.3 (Heeris, after Ellis and Slaney). method "fft": fftweight.fft_gtgram, the
         magnitudes of a Fourier transform of twice the window, rounded up to a power of 2, weighted with the
         filters' responses. method "filters": gtgram.gtgram, the root of the mean energy of each filter's output.
Input:   wave (batch, samples), full scale 1.   Output: (batch, bands, frames, 1 or 3), lowest band first.
Size:    128 x 123 ("fft") or 128 x 129 ("filters") for one second at 44.1 kHz with window 2048, hop 326:
         neither pads. ait2023's 128 x 128 x 3: frames = 132, deltas = "three_point".
"""

from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _front_end, _gammatone_bank, _gammatone_recursion
from asc_tf.features._delta import Deltas


def build(
    *,
    sample_rate_hz: int,
    window_samples: int,
    hop_samples: int,
    bands: int,
    min_hz: float,
    max_hz: float,
    method: Literal["fft", "filters"],
    scale: _front_end.Scale,
    top_db: float = 0.0,
    frames: int = 0,
    deltas: Deltas = "none",
):
    """The front end as a Keras layer; UserError where the settings cannot work together.

    scale, top_db: see _front_end.py.   frames, deltas: see _delta.py.
    """
    settings = dict(locals())
    _front_end.check("gammatone", **settings)
    if window_samples < 2 or hop_samples < 1 or bands < 1:
        raise UserError("features/gammatone: window_samples must be at least 2, hop_samples and bands at least 1.")
    if not 0 < min_hz < max_hz <= sample_rate_hz / 2:
        raise UserError(
            f"features/gammatone: min_hz = {min_hz} and max_hz = {max_hz} must rise, above 0, to at most "
            f"{sample_rate_hz / 2}, half of sample_rate_hz."
        )
    return Gammatone(**settings, name="gammatone")


@keras.saving.register_keras_serializable("asc_tf")
class Gammatone(_front_end.FrontEnd):
    """wave (batch, samples) to gammatone spectrograms, with the settings of `build`."""

    def __init__(self, *, name=None, trainable=False, dtype="float32", **settings):
        keys = ("bands", "sample_rate_hz", "min_hz", "max_hz")
        bank = _gammatone_bank.design(**{key: settings[key] for key in keys})
        method = {"fft": WeightedFft, "filters": FilterBank}[settings["method"]]
        transform = method(bank, settings["window_samples"], settings["hop_samples"])
        super().__init__(transform, settings, name=name, trainable=trainable, dtype=dtype)


class FilterBank:
    """wave (batch, samples) to the root mean square of each filter's output, (batch, bands, frames)."""

    slice_clips = 8

    def __init__(self, bank, window_samples, hop_samples):
        self.bank, self.window_samples, self.hop_samples = bank, window_samples, hop_samples

    def __call__(self, wave):
        frames = self.count(wave.shape[1])
        return tf.sqrt(_gammatone_recursion.energies(wave, self.bank, self.window_samples, self.hop_samples, frames))

    def count(self, samples):
        return _count(samples, self.window_samples, self.hop_samples)


class WeightedFft:
    """wave (batch, samples) to weighted sums of Fourier magnitudes, (batch, bands, frames)."""

    slice_clips = 4  # the spectra of more fall out of the cache

    def __init__(self, bank, window_samples, hop_samples):
        self.hop_samples = hop_samples
        self.fft_samples = 2 ** int(np.ceil(np.log2(2 * window_samples)))
        half = window_samples // 2
        self.inset = self.fft_samples // 2 - half
        # In float64: rounding of a loud tone's transform to float32 moves cells 75 dB below it by 0.002 dB.
        self.window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * half) / half)
        angles = 2 * np.pi * np.arange(self.fft_samples // 2 + 1)[:, None] / self.fft_samples
        self.weights = (_gammatone_bank.response(bank, angles) / self.fft_samples).astype(np.float32)

    def __call__(self, wave):
        starts = self.inset + self.hop_samples * np.arange(self.count(wave.shape[1]))
        frames = tf.stack([wave[:, start : start + len(self.window)] for start in starts], 1)
        return _weighted(tf.signal.rfft(tf.cast(frames, tf.float64) * self.window, [self.fft_samples]), self.weights)

    def count(self, samples):
        return _count(samples, self.fft_samples, self.hop_samples)


@tf.function(jit_compile=True, autograph=False)  # the magnitude in one pass over the spectrum instead of five
def _weighted(spectrum, weights):
    """(batch, frames, bins) and (bins, bands) to the weighted sums of the magnitudes, (batch, bands, frames)."""
    magnitude = tf.sqrt(tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2)
    return tf.transpose(tf.matmul(tf.cast(magnitude, tf.float32), weights), (0, 2, 1))


def _count(samples, span, hop_samples):
    """Frames of `span` samples that lie wholly inside the clip."""
    if samples < span:
        raise UserError(
            f"features/gammatone: a clip of {samples} samples is shorter than one frame of {span}: "
            "take longer clips or a smaller window_samples."
        )
    return 1 + (samples - span) // hop_samples
