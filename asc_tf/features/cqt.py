"""Constant-Q transform, for short clips too.

Source:  librosa.cqt 0.11 (tuning 0, filter scale 1, norm 1, Hann, zero padding, scale True, sparsity 0), computed
         directly at the full rate: librosa itself resamples for the lower octaves and prunes its filters, which
         puts it up to 3 % of the maximum away from this.
Input:   wave (batch, samples), full scale 1.   Output: (batch, bands, frames, 1 or 3), lowest band first.
Size:    128 x 136 for one second at 44.1 kHz with hop 326, frames = 1 + samples // hop_samples: any hop is exact.
         ait2023's 128 x 128 x 3: frames = 132, deltas = "three_point".
"""

import functools
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _constant_q, _front_end
from asc_tf.features._delta import Deltas


def build(
    *,
    sample_rate_hz: int,
    hop_samples: int,
    bands: int,
    bins_per_octave: int,
    min_hz: float,
    scale: _front_end.Scale,
    top_db: float = 0.0,
    frames: int = 0,
    deltas: Deltas = "none",
) -> _front_end.FrontEnd:
    """The front end as a Keras layer.

    Args:
        sample_rate_hz: Of the wave; librosa's sr.
        hop_samples: Between frames; librosa's hop_length.
        bands: Number of filters; librosa's n_bins.
        bins_per_octave: Filters in an octave, as in librosa.
        min_hz: Centre of the lowest filter; librosa's fmin.
        scale: "magnitude", or "db" for librosa.amplitude_to_db of it with ref 1 and amin 1e-5.
        top_db: Range of the decibels below each clip's maximum, as in librosa; 0 for no such limit.
        frames: Crop or pad to this many before the deltas; 0 leaves them as they are, see _delta.
        deltas: "none", "interpolated", "valid" or "three_point", see _delta.

    Returns:
        wave (batch, samples) to (batch, bands, frames, 1 or 3) float32.

    Raises:
        UserError: Settings that do not fit together.
    """
    transform = ConstantQ(sample_rate_hz, hop_samples, bands, bins_per_octave, min_hz)
    return _front_end.FrontEnd(transform, scale=scale, top_db=top_db, frames=frames, deltas=deltas, name="cqt")


@keras.saving.register_keras_serializable("asc_tf")
@dataclass(frozen=True)
class ConstantQ(_front_end.Transform):
    """wave (batch, samples) to constant-Q magnitudes (batch, bands, frames).

    In float64 where weights are high: the transform of the whole clip spreads a loud moment's rounding to float32
    over all frames, which would move cells 80 dB below it by 0.004 dB.

    Args:
        sample_rate_hz, hop_samples, bands, bins_per_octave, min_hz: See `build`.

    Raises:
        UserError: The highest filter reaches above half of the sample rate, or a number is too small.
    """

    slice_clips: ClassVar[int] = 16  # fewer would read the filters from memory too often

    sample_rate_hz: int
    hop_samples: int
    bands: int
    bins_per_octave: int
    min_hz: float

    def __post_init__(self):
        if min(self.hop_samples, self.bands, self.bins_per_octave) < 1 or self.min_hz <= 0:
            raise UserError(
                "features/cqt: hop_samples, bands and bins_per_octave must be at least 1, and min_hz above 0."
            )
        highest, half_rate = self.filters.highest_hz, self.sample_rate_hz / 2
        if highest > half_rate:
            raise UserError(
                f"features/cqt: bands = {self.bands}: the highest filter reaches {highest:.0f} Hz, above half of "
                f"sample_rate_hz, {half_rate:.0f}: take fewer bands, more bins_per_octave or a lower min_hz."
            )

    @functools.cached_property
    def filters(self) -> _constant_q.Filters:
        """Frequencies and lengths of the filters."""
        return _constant_q.Filters(self.sample_rate_hz, self.bands, self.bins_per_octave, self.min_hz)

    def count(self, samples: int) -> int:
        """Number of frames of a clip of that length.  Raises UserError where it is shorter than the lowest filter."""
        longest = self.filters.lengths[0]
        if samples < longest:
            raise UserError(
                f"features/cqt: the lowest filter is {longest:.0f} samples long, longer than a clip "
                f"of {samples}: take a higher min_hz, fewer bins_per_octave or longer clips."
            )
        return 1 + samples // self.hop_samples

    def __call__(self, wave: tf.Tensor) -> tf.Tensor:
        """(batch, samples) float32 to magnitudes (batch, bands, frames) float32."""
        wave, samples = tf.cast(wave, tf.float64), wave.shape[1]
        layout = _constant_q.layout(samples, self.hop_samples, self.filters)
        size = layout.columns * self.hop_samples
        exact, rounded = _blocks(tf.signal.rfft(wave, [size]), layout.columns, size)
        high = [tf.matmul(weights, exact[:, low : low + weights.shape[2]]) for low, weights in layout.exact]
        above, below = tf.split(_columns_last(tf.matmul(layout.rounded, rounded)), 2, 1)
        above = tf.cast(above, tf.float64) + _columns_last(tf.concat(high, 1))
        cells = [tf.signal.ifft(tf.complex(*tf.split(part, 2))) for part in (above, below)]
        ends, taps = self._frame_ends(wave, layout.fft_samples), layout.first_taps
        return _magnitude(*cells, ends, taps.real, taps.imag)

    def _frame_ends(self, wave, fft_samples):
        """(batch, frames): first sample of each of librosa's circular frames, less the one that follows its last."""
        frames, hop = self.count(wave.shape[1]), self.hop_samples
        padded = tf.pad(wave, [[0, 0], [fft_samples // 2, fft_samples // 2 + hop]])
        return padded[:, ::hop][:, :frames] - padded[:, fft_samples::hop][:, :frames]


@tf.function(jit_compile=True, autograph=False)
def _blocks(spectrum, columns, size):
    """(columns, blocks, 2 * batch) of a half spectrum, real parts of all clips, then imaginary; float64 and float32.

    The clip is advanced by half a sample: the filters, centred half a sample early, are real then.
    """
    bins = spectrum.shape[1]
    advanced = spectrum * np.exp(1j * np.pi * np.arange(bins) / size)
    parts = tf.pad(tf.concat([tf.math.real(advanced), tf.math.imag(advanced)], 0), [[0, 0], [0, -bins % columns]])
    blocks = tf.transpose(tf.reshape(parts, (-1, parts.shape[1] // columns, columns)), (2, 1, 0))
    return blocks, tf.cast(blocks, tf.float32)


def _columns_last(folded):
    """(columns, bands, 2 * batch) to (2 * batch, bands, columns)."""
    return tf.transpose(folded, (2, 1, 0))


@tf.function(jit_compile=True, autograph=False)
def _magnitude(above, below, ends, taps_real, taps_imaginary):
    """Magnitudes (batch, bands, frames) float32.

    above, below: (batch, bands, columns), from the bins from 0 Hz up and from those below.  ends: (batch, frames).
    taps_real, taps_imaginary: (bands,).
    """
    above, below = (tf.cast(part[..., : ends.shape[1]], tf.complex128) for part in (above, below))
    real = tf.math.real(above) + tf.math.real(below) + taps_real[:, None] * ends[:, None]
    imaginary = tf.math.imag(above) - tf.math.imag(below) + taps_imaginary[:, None] * ends[:, None]
    return tf.cast(tf.sqrt(real**2 + imaginary**2), tf.float32)
