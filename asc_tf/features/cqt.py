"""How loud is each note, when? A constant-Q transform, for clips of a second too.

Source:  librosa.cqt 0.11 (tuning 0, filter scale 1, norm 1, Hann, zero padding, scale True, sparsity 0), computed
         directly at the full rate: librosa itself resamples for the lower octaves and prunes its filters, which
         puts it up to 3 % of the maximum away from this.
Input:   wave (batch, samples), full scale 1.   Output: (batch, bands, frames, 1 or 3), lowest band first.
Size:    128 x 136 for one second at 44.1 kHz with hop 326, frames = 1 + samples // hop_samples: any hop is exact.
         ait2023's 128 x 128 x 3: frames = 132, deltas = "three_point".
"""

import keras
import numpy as np
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _constant_q, _front_end
from asc_tf.features._delta import Deltas

FILTERS = ("sample_rate_hz", "bands", "bins_per_octave", "min_hz")  # the settings that make the filters


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
):
    """The front end as a Keras layer; UserError where the settings cannot work together.

    scale, top_db: see _front_end.py.   frames, deltas: see _delta.py.
    """
    settings = dict(locals())
    _front_end.check("cqt", **settings)
    if hop_samples < 1 or bands < 1 or bins_per_octave < 1 or min_hz <= 0:
        raise UserError("features/cqt: hop_samples, bands and bins_per_octave must be at least 1, and min_hz above 0.")
    highest = _constant_q.filters(**{key: settings[key] for key in FILTERS}).highest_hz
    if highest > sample_rate_hz / 2:
        raise UserError(
            f"features/cqt: bands = {bands}: the highest filter reaches {highest:.0f} Hz, above half of "
            f"sample_rate_hz, {sample_rate_hz / 2:.0f}: take fewer bands, more bins_per_octave or a lower min_hz."
        )
    return Cqt(**settings, name="cqt")


@keras.saving.register_keras_serializable("asc_tf")
class Cqt(_front_end.FrontEnd):
    """wave (batch, samples) to constant-Q spectrograms, with the settings of `build`."""

    def __init__(self, *, name=None, trainable=False, dtype="float32", **settings):
        transform = ConstantQ(settings["hop_samples"], {key: settings[key] for key in FILTERS})
        super().__init__(transform, settings, name=name, trainable=trainable, dtype=dtype)


class ConstantQ:
    """wave (batch, samples) to magnitudes (batch, bands, frames).

    In float64 where filters are loud: the transform of the whole clip spreads a loud moment's rounding to float32
    over all frames, which would move cells 80 dB below it by 0.004 dB.
    """

    slice_clips = 16  # fewer would read the filters from memory too often

    def __init__(self, hop_samples, filters):
        self.hop_samples, self.filters = hop_samples, filters
        self.lengths = _constant_q.filters(**filters).lengths

    def count(self, samples):
        if samples < self.lengths[0]:
            raise UserError(
                f"features/cqt: the lowest filter is {self.lengths[0]:.0f} samples long, longer than a clip "
                f"of {samples}: take a higher min_hz, fewer bins_per_octave or longer clips."
            )
        return 1 + samples // self.hop_samples

    def __call__(self, wave):
        wave, samples = tf.cast(wave, tf.float64), wave.shape[1]
        layout = _constant_q.layout(samples, hop_samples=self.hop_samples, **self.filters)
        size = layout.columns * self.hop_samples
        exact, rounded = _blocks(tf.signal.rfft(wave, [size]), layout.columns, size)
        loud = [tf.matmul(weights, exact[:, low : low + weights.shape[2]]) for low, weights in layout.loud]
        above, below = tf.split(_turned(tf.matmul(layout.quiet, rounded)), 2, 1)
        above = tf.cast(above, tf.float64) + _turned(tf.concat(loud, 1))
        cells = [tf.signal.ifft(tf.complex(*tf.split(part, 2))) for part in (above, below)]
        return _magnitude(*cells, self._seam(wave, layout.span), layout.seam.real, layout.seam.imag)

    def _seam(self, wave, span):
        """(batch, frames): what librosa's circular frames meet at their first sample, less the one past their last."""
        frames, hop = self.count(wave.shape[1]), self.hop_samples
        padded = tf.pad(wave, [[0, 0], [span // 2, span // 2 + hop]])
        return padded[:, ::hop][:, :frames] - padded[:, span::hop][:, :frames]


@tf.function(jit_compile=True, autograph=False)
def _blocks(spectrum, columns, size):
    """(columns, blocks, 2 * batch) of a half spectrum, real parts of all clips, then imaginary; float64 and float32.

    The clip is taken half a sample later: the filters, centred half a sample early, are real then.
    """
    bins = spectrum.shape[1]
    later = spectrum * np.exp(1j * np.pi * np.arange(bins) / size)
    parts = tf.pad(tf.concat([tf.math.real(later), tf.math.imag(later)], 0), [[0, 0], [0, -bins % columns]])
    blocks = tf.transpose(tf.reshape(parts, (-1, parts.shape[1] // columns, columns)), (2, 1, 0))
    return blocks, tf.cast(blocks, tf.float32)


def _turned(folded):
    """(columns, bands, 2 * batch) to (2 * batch, bands, columns)."""
    return tf.transpose(folded, (2, 1, 0))


@tf.function(jit_compile=True, autograph=False)
def _magnitude(above, below, seam, seam_real, seam_imaginary):
    """Of what bins from 0 Hz up and below it give, (batch, bands, columns), and seam (batch, frames)."""
    above, below = (tf.cast(part[..., : seam.shape[1]], tf.complex128) for part in (above, below))
    real = tf.math.real(above) + tf.math.real(below) + seam_real[:, None] * seam[:, None]
    imaginary = tf.math.imag(above) - tf.math.imag(below) + seam_imaginary[:, None] * seam[:, None]
    return tf.cast(tf.sqrt(real**2 + imaginary**2), tf.float32)
