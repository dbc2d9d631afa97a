"""Spectrogram of gammatone filters, which model the bands of the ear.

Source:  the package gammatone 1.0.3 (Heeris, after Ellis and Slaney). method "fft": fftweight.fft_gtgram, the
         magnitudes of a Fourier transform of twice the window, rounded up to a power of 2, weighted with the
         filters' responses. method "filters": gtgram.gtgram, the root of the mean energy of each filter's output.
Input:   wave (batch, samples), full scale 1.   Output: (batch, bands, frames, 1 or 3), lowest band first.
Size:    128 x 123 ("fft") or 128 x 129 ("filters") for one second at 44.1 kHz with window 2048, hop 326:
         neither pads. ait2023's 128 x 128 x 3: frames = 132, deltas = "three_point".
"""

import functools
from dataclasses import dataclass
from typing import ClassVar, Literal

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
) -> _front_end.FrontEnd:
    """The front end as a Keras layer.

    Args:
        sample_rate_hz: Of the wave; fs of the package gammatone.
        window_samples: Length of a window; the package's window_time * fs.
        hop_samples: Between frames, librosa's hop_length; the package's hop_time * fs.
        bands: Number of filters; the package's channels.
        min_hz: Centre of the lowest filter; the package's f_min.
        max_hz: Centre of the filter that would follow the highest; half of fs in the package.
        method: "fft" (fft_gtgram) or "filters" (gtgram).
        scale: "magnitude", or "db" for librosa.amplitude_to_db of it with ref 1 and amin 1e-5.
        top_db: Range of the decibels below each clip's maximum, as in librosa; 0 for no such limit.
        frames: Crop or pad to this many before the deltas; 0 leaves them as they are, see _delta.
        deltas: "none", "interpolated", "valid" or "three_point", see _delta.

    Returns:
        wave (batch, samples) to (batch, bands, frames, 1 or 3) float32.

    Raises:
        UserError: Settings that do not fit together.
    """
    kind = {"fft": WeightedFft, "filters": FilterBank}[method]
    transform = kind(sample_rate_hz, window_samples, hop_samples, bands, min_hz, max_hz)
    return _front_end.FrontEnd(transform, scale=scale, top_db=top_db, frames=frames, deltas=deltas, name="gammatone")


@dataclass(frozen=True)
class Gammatone(_front_end.Transform):
    """Base of the two methods: settings, their checks, the filters, and the frames that lie inside a clip.

    Args:
        sample_rate_hz, window_samples, hop_samples, bands, min_hz, max_hz: See `build`.

    Raises:
        UserError: Settings that do not fit together.
    """

    sample_rate_hz: int
    window_samples: int
    hop_samples: int
    bands: int
    min_hz: float
    max_hz: float

    def __post_init__(self):
        if self.window_samples < 2 or self.hop_samples < 1 or self.bands < 1:
            raise UserError("features/gammatone: window_samples must be at least 2, hop_samples and bands at least 1.")
        if not 0 < self.min_hz < self.max_hz <= self.sample_rate_hz / 2:
            raise UserError(
                f"features/gammatone: min_hz = {self.min_hz} and max_hz = {self.max_hz} must rise, above 0, to at most "
                f"{self.sample_rate_hz / 2}, half of sample_rate_hz."
            )

    @functools.cached_property
    def bank(self) -> _gammatone_bank.Bank:
        """Constants of the filters."""
        return _gammatone_bank.design(self.bands, self.sample_rate_hz, self.min_hz, self.max_hz)

    @property
    def frame_samples(self) -> int:
        """Samples that a frame is computed from."""
        return self.window_samples

    def count(self, samples: int) -> int:
        """Number of frames that lie inside a clip of that length.  Raises UserError where there is none."""
        if samples < self.frame_samples:
            raise UserError(
                f"features/gammatone: a clip of {samples} samples is shorter than one frame of {self.frame_samples}: "
                "take longer clips or a smaller window_samples."
            )
        return 1 + (samples - self.frame_samples) // self.hop_samples


@keras.saving.register_keras_serializable("asc_tf")
@dataclass(frozen=True)
class FilterBank(Gammatone):
    """wave (batch, samples) to the root mean square of each filter's output, (batch, bands, frames)."""

    slice_clips: ClassVar[int] = 8

    def __call__(self, wave: tf.Tensor) -> tf.Tensor:
        """(batch, samples) float32 to magnitudes (batch, bands, frames) float32."""
        frames = self.count(wave.shape[1])
        return tf.sqrt(_gammatone_recursion.energies(wave, self.bank, self.window_samples, self.hop_samples, frames))


@keras.saving.register_keras_serializable("asc_tf")
@dataclass(frozen=True)
class WeightedFft(Gammatone):
    """wave (batch, samples) to weighted sums of Fourier magnitudes, (batch, bands, frames)."""

    slice_clips: ClassVar[int] = 4  # the spectra of more exceed the cache

    @property
    def frame_samples(self) -> int:
        """Length of the FFT: twice the window, rounded up to a power of 2."""
        return 2 ** int(np.ceil(np.log2(2 * self.window_samples)))

    @functools.cached_property
    def window(self) -> np.ndarray:
        """Hann window of window_samples, rounded down to an even number.

        In float64: rounding of a loud tone's transform to float32 moves cells 75 dB below it by 0.002 dB.
        """
        half = self.window_samples // 2
        return 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * half) / half)

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """Responses of the filters at the bins, divided by the length of the FFT, (bins, bands) float32."""
        angles = 2 * np.pi * np.arange(self.frame_samples // 2 + 1)[:, None] / self.frame_samples
        return (_gammatone_bank.response(self.bank, angles) / self.frame_samples).astype(np.float32)

    def __call__(self, wave: tf.Tensor) -> tf.Tensor:
        """(batch, samples) float32 to magnitudes (batch, bands, frames) float32."""
        first = self.frame_samples // 2 - self.window_samples // 2
        starts = first + self.hop_samples * np.arange(self.count(wave.shape[1]))
        frames = tf.stack([wave[:, start : start + len(self.window)] for start in starts], 1)
        windowed = tf.cast(frames, tf.float64) * self.window  # (batch, frames, window)
        return _weighted(tf.signal.rfft(windowed, [self.frame_samples]), self.weights)


@tf.function(jit_compile=True, autograph=False)  # the magnitude in one pass over the spectrum instead of five
def _weighted(spectrum, weights):
    """(batch, frames, bins) and (bins, bands) to the weighted sums of the magnitudes, (batch, bands, frames)."""
    magnitude = tf.sqrt(tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2)
    return tf.transpose(tf.matmul(tf.cast(magnitude, tf.float32), weights), (0, 2, 1))
