"""On which scale does a network see a spectrogram? (x - mean) / std, of constants or of measured bands.

Source:  constants: (x + 4.5) / 5 of CP-JKU and PaSST, AST's and PSLA's. Measured: per-bin standardisation over
         the training split, as reported for the DCASE 2024 student with DyMN teachers.
Input, output: (batch, bands, frames, channels).
"""

import keras
import numpy as np


@keras.saving.register_keras_serializable("asc_tf")
class Normalise(keras.layers.Layer):
    """(x - mean) / std; both are numbers, or (bands, 1, channels) arrays."""

    def __init__(self, mean, std, *, name="normalise", trainable=False, dtype="float32"):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.mean, self.std = np.array(mean, np.float32), np.array(std, np.float32)

    def call(self, x):
        return (x - self.mean) / self.std

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"mean": self.mean.tolist(), "std": self.std.tolist()}


def moments(spectrograms):
    """{"mean", "std"} of every band and channel, (bands, 1, channels) float64, over all clips and frames.

    spectrograms: an iterable of (clips, bands, frames, channels); one batch is held at a time. The std
    is that of the whole population; a band that never moves gets 1, so that it becomes 0 and not infinite.
    Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    count, mean, squares = 0, 0.0, 0.0
    for batch in spectrograms:
        cells = np.asarray(batch, np.float64)
        own = cells.mean((0, 2))
        added, apart = cells.shape[0] * cells.shape[2], own - mean
        squares = squares + ((cells - own[:, None]) ** 2).sum((0, 2)) + apart**2 * count * added / (count + added)
        count += added
        mean = mean + apart * added / count
    std = np.sqrt(squares / count)
    still = std < 1e-6 * np.maximum(1, np.abs(mean))  # what rounding leaves of a constant
    return {"mean": mean[:, None], "std": np.where(still, 1.0, std)[:, None]}
