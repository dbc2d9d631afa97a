"""Residual normalisation of every frequency row, with a fixed and with a trained share of the input.

Shapes are (batch, bands, frames, channels). Mean and variance are those of a row of one clip, over frames and
channels; they are computed in float32.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="asc_tf")
class ResNorm(layers.Layer):
    """Residual normalisation: y = factor * x + (x - mean) / sqrt(variance + 1e-5), without weights.

    The variance is the unbiased one.

    Source: Kim et al., "QTI submission to DCASE 2021: residual normalization", 2021; as in TF-SepNet.

    Args:
        factor: Of the input, the paper's lambda.
        name: Of the layer.
        trainable: Without effect; for Keras.
        dtype: Of the inputs and outputs.
    """

    def __init__(self, factor: float, *, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.factor = factor

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The sum of scaled and normalised values.

        Args:
            x: (batch, bands, frames, channels), any float type.
        """
        values = ops.cast(x, "float32")
        return ops.cast(self.factor * values + normalised_rows(values), self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Sequence[int | None]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable(package="asc_tf")
class AdaResNorm(layers.Layer):
    """Adaptive residual normalisation: y = gamma * (rho * x + (1 - rho) * n) + beta, n the normalised rows of ResNorm.

    rho, gamma (from 1) and beta (from 0) are trained, one of each a channel.

    Source: TF-SepNet (github.com/Azhou0/dcase2025t1), of which no published network uses it.

    Args:
        start: Of every rho.
        name: Of the layer.
        trainable: Whether the weights are trained.
        dtype: Of the inputs and outputs.
    """

    def __init__(self, start: float, *, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.start = start

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates rho, gamma and beta in the original's shape, (1, channels, 1, 1)."""
        shape = (1, input_shape[-1], 1, 1)
        self.rho = self.add_weight(shape=shape, initializer=keras.initializers.Constant(self.start), name="_rho")
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="_gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="_beta")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The weighted sum of input and normalised values, scaled and shifted.

        Args:
            x: (batch, bands, frames, channels), any float type.
        """
        values = ops.cast(x, "float32")
        rho, gamma, beta = (
            ops.reshape(ops.cast(weight, "float32"), (1, 1, 1, -1)) for weight in (self.rho, self.gamma, self.beta)
        )
        mixed = rho * values + (1.0 - rho) * normalised_rows(values)
        return ops.cast(gamma * mixed + beta, self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Sequence[int | None]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"start": self.start}


def normalised_rows(x: keras.KerasTensor) -> keras.KerasTensor:
    """(x - mean) / sqrt(unbiased variance + 1e-5) of every row.

    Args:
        x: (batch, bands, frames, channels) float32.
    """
    count = x.shape[2] * x.shape[3]
    centred = x - ops.mean(x, axis=(2, 3), keepdims=True)
    variance = ops.sum(ops.square(centred), axis=(2, 3), keepdims=True) / (count - 1)
    return centred * ops.rsqrt(variance + EPSILON)
