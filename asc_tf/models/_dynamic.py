"""Layers of DyMN whose weights depend on the clip: dynamic convolution, dynamic ReLU, means for coordinate attention.

Source:  Schmid et al., "Dynamic convolutional neural networks as efficient pre-trained audio models",
         2023 (github.com/fschmid56/EfficientAT).
Shapes are (batch, bands, frames, channels). Weights have the original's order of axes, reshaped.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

KERNELS = 4
# Slopes and offsets (a1, a2, b1, b2) of the two lines of a dynamic ReLU: at the start, and the largest change of each.
START = (1.0, 0.0, 0.0, 0.0)
REACH = (1.0, 1.0, 0.5, 0.5)


class _DynamicConv(layers.Layer):
    """Convolves every clip with another kernel: the mean of KERNELS, weighted by softmax(scores / temperature).

    Takes [x (batch, bands, frames, channels), scores (batch, KERNELS)]; no bias. The temperature is a variable, saved
    with the weights; `begin_epoch` sets it.

    Args:
        start_temperature: Temperature of the first epoch.
        name: Of the layer.
        trainable: Whether the kernels are trained.
        dtype: Of the computation.
    """

    def __init__(self, *, start_temperature: float, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.start_temperature = start_temperature

    def add_kernels(self, outputs: int, inputs: int, size: int) -> None:
        """Creates KERNELS kernels, each Kaiming normal over its outputs, and the temperature.

        Args:
            outputs: Channels of the result.
            inputs: Channels that each of them reads.
            size: Height and width of the kernels.
        """
        self.kernel_shape = (outputs, inputs, size, size)
        self.weight = self.add_weight(
            shape=(KERNELS, outputs * inputs * size**2),
            initializer=keras.initializers.RandomNormal(stddev=(2 / (outputs * size**2)) ** 0.5),
            name="weight",
        )
        start = keras.initializers.Constant(self.start_temperature)
        self.temperature = self.add_weight(shape=(), initializer=start, trainable=False, name="temperature")

    def begin_epoch(self, epoch: int) -> None:
        """Sets the temperature of an epoch, counted from 0."""
        self.temperature.assign(kernel_temperature(epoch, start=self.start_temperature))

    def kernels(self, scores: keras.KerasTensor) -> keras.KerasTensor:
        """The kernel of every clip.

        Args:
            scores: (batch, KERNELS).

        Returns:
            (batch, outputs, inputs, size, size).
        """
        shares = ops.softmax(scores / self.temperature)
        return ops.reshape(ops.matmul(shares, self.weight), (-1, *self.kernel_shape))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"start_temperature": self.start_temperature}


@keras.saving.register_keras_serializable(package="asc_tf")
class DynamicPointwise(_DynamicConv):
    """The dynamic convolution with 1x1 kernels.

    Args:
        channels: Of the result.
        start_temperature: Temperature of the softmax over the kernels in the first epoch.
        name: Of the layer.
        trainable: Whether the kernels are trained.
        dtype: Of the computation.
    """

    def __init__(
        self,
        channels: int,
        *,
        start_temperature: float,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(start_temperature=start_temperature, name=name, trainable=trainable, dtype=dtype)
        self.channels = channels

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Creates the kernels."""
        self.add_kernels(self.channels, input_shape[0][-1], 1)

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """(batch, bands, frames, channels) of [x, scores]."""
        x, scores = inputs
        kernels = self.kernels(scores)[..., 0, 0]  # (batch, outputs, inputs)
        flat = ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))  # (batch, bands * frames, inputs)
        return ops.reshape(ops.einsum("bpi,boi->bpo", flat, kernels), (-1, *x.shape[1:3], self.channels))

    def compute_output_shape(self, input_shape: Sequence[Sequence[int | None]]) -> tuple[int | None, ...]:
        """(batch, bands, frames, channels) of the shapes of [x, scores]."""
        return (*input_shape[0][:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"channels": self.channels}


@keras.saving.register_keras_serializable(package="asc_tf")
class DynamicDepthwise(_DynamicConv):
    """The dynamic depthwise convolution; padding "same" at stride 1, otherwise "valid".

    Computed as one of (batch x channels) channels: 2 to 3 times as fast on a CPU, forward and back, as the
    static convolutions of KERNELS kernels and their mean.

    Args:
        kernel_size: Height and width of the kernels.
        stride: Of both axes.
        start_temperature: Temperature of the softmax over the kernels in the first epoch.
        name: Of the layer.
        trainable: Whether the kernels are trained.
        dtype: Of the computation.
    """

    def __init__(
        self,
        kernel_size: int,
        *,
        stride: int,
        start_temperature: float,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(start_temperature=start_temperature, name=name, trainable=trainable, dtype=dtype)
        self.kernel_size, self.stride = kernel_size, stride

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Creates the kernels."""
        self.add_kernels(input_shape[0][-1], 1, self.kernel_size)

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """(batch, bands / stride, frames / stride, channels) of [x, scores]."""
        x, scores = inputs
        bands, frames, channels = x.shape[1:]
        kernels = ops.transpose(self.kernels(scores), (3, 4, 0, 1, 2))  # (size, size, batch, channels, 1)
        kernels = ops.reshape(kernels, (self.kernel_size, self.kernel_size, -1, 1))
        x = ops.reshape(ops.transpose(x, (1, 2, 0, 3)), (1, bands, frames, -1))  # (1, bands, frames, batch * channels)
        x = ops.depthwise_conv(x, kernels, self.stride, "same" if self.stride == 1 else "valid")
        x = ops.reshape(x, (*x.shape[1:3], -1, channels))
        return ops.transpose(x, (2, 0, 1, 3))

    def compute_output_shape(self, input_shape: Sequence[Sequence[int | None]]) -> tuple[int | None, ...]:
        """(batch, bands, frames, channels) of the shapes of [x, scores]."""
        batch, bands, frames, channels = input_shape[0]
        lost = 0 if self.stride == 1 else self.kernel_size - self.stride
        return (batch, (bands - lost) // self.stride, (frames - lost) // self.stride, channels)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"kernel_size": self.kernel_size, "stride": self.stride}


@keras.saving.register_keras_serializable(package="asc_tf")
class DynamicReLU(layers.Layer):
    """max(a1 x + b1, a2 x + b2) with lines of every clip and channel; the ReLU where their inputs are 0 ("DyReLU-B").

    The constructor takes the arguments of keras.layers.Layer.
    """

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """Activated values.

        Args:
            inputs: [x (batch, bands, frames, channels), lines (batch, 4 * channels)]. The lines are a1, a2, b1, b2 of
                the first channel, of the second and so on, before the squashing of each to START -+ REACH.

        Returns:
            (batch, bands, frames, channels).
        """
        x, raw = inputs
        lines = 2 * ops.sigmoid(ops.reshape(raw, (-1, 1, 1, x.shape[-1], 4))) - 1  # (batch, 1, 1, channels, 4)
        lines = lines * ops.array(REACH, lines.dtype) + ops.array(START, lines.dtype)
        return ops.maximum(x * lines[..., 0] + lines[..., 2], x * lines[..., 1] + lines[..., 3])

    def compute_output_shape(self, input_shape: Sequence[Sequence[int | None]]) -> Sequence[int | None]:
        """The shape of x."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package="asc_tf")
class AxisMeans(layers.Layer):
    """The mean of every band over the frames, then the mean of every frame over the bands.

    The constructor takes the arguments of keras.layers.Layer.
    """

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, bands + frames, 1, channels) of x (batch, bands, frames, channels)."""
        frame_means = ops.transpose(ops.mean(x, axis=1, keepdims=True), (0, 2, 1, 3))  # (batch, frames, 1, channels)
        return ops.concatenate([ops.mean(x, axis=2, keepdims=True), frame_means], axis=1)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, bands + frames, 1, channels)."""
        batch, bands, frames, channels = input_shape
        return (batch, bands + frames, 1, channels)


def kernel_temperature(epoch: int, *, start: float) -> float:
    """Temperature of DyMN's softmax over kernels: `start` in epoch 0, 1 less every epoch, never below 1.

    Args:
        epoch: Counted from 0.
        start: Temperature of epoch 0.

    Source: Schmid et al., DyMN, 2023. Its second, slower slope of 0.02 an epoch begins where the first has reached 1,
    and so changes nothing.
    """
    return max(start - epoch, 1.0)
