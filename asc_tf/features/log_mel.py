"""How much energy is in which band, when: the logarithm of a mel spectrogram.

Source:  torchaudio MelSpectrogram as the DCASE 2024 Task 1 baseline calls it (periodic Hann window,
         centred frames, reflected edges, power, HTK mel scale, triangles linear in Hz, no area
         normalisation), then ln(x + floor).
Input:   wave (batch, samples), full scale 1.   Output: (batch, bands, frames, 1), natural logarithm.
Size:    256 x 65 for one second at 32 kHz with window 3072, hop 500, FFT 4096.
"""

import keras
import numpy as np
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _mel


def build(
    *,
    sample_rate_hz: int,
    window_samples: int,
    hop_samples: int,
    fft_samples: int,
    bands: int,
    min_hz: float,
    max_hz: float,
    floor: float = 1e-5,
):
    """The front end as a Keras layer; UserError where the settings cannot work together."""
    if not 0 < window_samples <= fft_samples:
        raise UserError(
            f"features/log_mel: window_samples = {window_samples} must be 1 to fft_samples = {fft_samples}."
        )
    if hop_samples < 1 or bands < 1 or floor <= 0:
        raise UserError("features/log_mel: hop_samples and bands must be at least 1, and floor above 0.")
    if not 0 <= min_hz < max_hz <= sample_rate_hz / 2:
        raise UserError(
            f"features/log_mel: min_hz = {min_hz} and max_hz = {max_hz} must rise from 0 to {sample_rate_hz / 2}, "
            "half of sample_rate_hz."
        )
    bank = _mel.htk_bank(bands, fft_samples, sample_rate_hz, min_hz, max_hz)
    return LogMel(window_samples, hop_samples, fft_samples, bank, floor, name="log_mel")


class LogMel(keras.layers.Layer):
    """wave (batch, samples) to log-mel (batch, bands, frames, 1); frames = 1 + samples // hop_samples."""

    def __init__(self, window_samples, hop_samples, fft_samples, bank, floor, **kwargs):
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.window_samples, self.hop_samples, self.fft_samples = window_samples, hop_samples, fft_samples
        self.groups = _mel.grouped(bank)
        self.floor = floor

    def call(self, wave):
        power = _mel.power_frames(wave, self.window_samples, self.hop_samples, self.fft_samples)
        return tf.math.log(_mel.apply_bank(power, self.groups) + self.floor)[..., None]

    def compute_output_shape(self, input_shape):
        bands = sum(weights.shape[1] for _, weights in self.groups)
        return (input_shape[0], bands, 1 + input_shape[1] // self.hop_samples, 1)

    @property
    def silence(self):
        """The value of a cell without any energy."""
        return float(np.log(np.float32(self.floor)))
