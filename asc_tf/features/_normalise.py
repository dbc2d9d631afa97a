"""Normalisation of spectrograms, (x - mean) / std, with constants or with measured statistics of each band.

Source:  constants: (x + 4.5) / 5 of CP-JKU and PaSST, AST's and PSLA's. Measured: per-bin standardisation over
         the training split, as reported for the DCASE 2024 student with DyMN teachers.
Input, output: (batch, bands, frames, channels).
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("asc_tf")
class Normalisation(keras.layers.Layer):
    """(x - mean) / std of a spectrogram (batch, bands, frames, channels).

    Args:
        mean: A number, or (bands, 1, channels).
        std: A number, or (bands, 1, channels); above 0.
        name: Of the layer.
        trainable: Without effect; for Keras.
        dtype: Of the computation.
    """

    def __init__(
        self,
        mean: np.ndarray | float,
        std: np.ndarray | float,
        *,
        name: str | None = "normalise",
        trainable: bool = False,
        dtype: Any = "float32",
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.mean, self.std = np.array(mean, np.float32), np.array(std, np.float32)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Normalises x (batch, bands, frames, channels)."""
        return (x - self.mean) / self.std

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as numbers and lists."""
        return super().get_config() | {"mean": self.mean.tolist(), "std": self.std.tolist()}


def moments(spectrograms: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Mean and std of every band and channel over all clips and frames.

    Args:
        spectrograms: Batches of any size, (clips, bands, frames, channels); one is in memory at a time.

    Returns:
        {"mean", "std"}, each (bands, 1, channels) float64. The std is the population's; that of a constant band is 1,
        so that the band becomes 0 and not infinite.

    Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    count, mean, squares = 0, 0.0, 0.0
    for batch in spectrograms:
        cells = np.asarray(batch, np.float64)
        batch_mean = cells.mean((0, 2))  # (bands, channels)
        batch_count, difference = cells.shape[0] * cells.shape[2], batch_mean - mean
        within = ((cells - batch_mean[:, None]) ** 2).sum((0, 2))
        squares = squares + within + difference**2 * count * batch_count / (count + batch_count)
        count += batch_count
        mean = mean + difference * batch_count / count
    std = np.sqrt(squares / count)
    constant = std < 1e-6 * np.maximum(1, np.abs(mean))  # up to rounding
    return {"mean": mean[:, None], "std": np.where(constant, 1.0, std)[:, None]}
