"""Convolutions as PyTorch makes them by default, with kernels of unequal sides, and the rearrangement of channels.

Shapes are (batch, bands, frames, channels). Kernels and biases start uniform within 1 / sqrt(inputs of an output),
padding is symmetric, and batch norm has PyTorch's epsilon and momentum.
"""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers, ops

from asc_tf.models import _fast_layers

Sides = tuple[int, int]  # of frequency, of time


def uniform(inputs: int) -> keras.initializers.Initializer:
    """A new initializer of PyTorch's convolutions and dense layers, uniform within 1 / sqrt(inputs).

    Args:
        inputs: Number of inputs of an output, of all taps.
    """
    return keras.initializers.RandomUniform(-(inputs**-0.5), inputs**-0.5)


def uniform_with_bias(inputs: int) -> dict[str, keras.initializers.Initializer]:
    """New initializers of a layer's kernel and bias, as its arguments.

    Args:
        inputs: As for `uniform`.
    """
    return {kind: uniform(inputs) for kind in ("kernel_initializer", "bias_initializer")}


def convolved(x: keras.KerasTensor, name: str, channels: int, kernel: Sides, groups: int = 1) -> keras.KerasTensor:
    """A convolution of stride 1 without bias that keeps bands and frames.

    Args:
        x: (batch, bands, frames, channels).
        name: Of the layer.
        channels: Of the result.
        kernel: Odd sides of the kernel.
        groups: Number of groups of channels that are convolved separately.
    """
    return _fast_layers.Conv2D(
        channels,
        kernel,
        padding="same",
        groups=groups,
        use_bias=False,
        kernel_initializer=uniform(x.shape[-1] // groups * kernel[0] * kernel[1]),
        name=name,
    )(x)


def depthwise(
    x: keras.KerasTensor, name: str, kernel: Sides, *, multiplier: int = 1, stride: int = 1, padded: bool = False
) -> keras.KerasTensor:
    """A depthwise convolution without bias, symmetrically padded.

    Args:
        x: (batch, bands, frames, channels).
        name: Of the layer; its padding, where it is a layer, is "{name}_pad".
        kernel: Odd sides of the kernel.
        multiplier: Outputs of every channel; output c * multiplier + j is of channel c.
        stride: Of both axes.
        padded: Whether a layer pads at stride 1 too. Elsewhere "same" does, which pads one side only at other strides.
    """
    same = stride == 1 and not padded
    if not same:
        x = layers.ZeroPadding2D((kernel[0] // 2, kernel[1] // 2), name=f"{name}_pad")(x)
    return layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same" if same else "valid",
        depth_multiplier=multiplier,
        use_bias=False,
        depthwise_initializer=uniform(kernel[0] * kernel[1]),
        name=name,
    )(x)


def dense(x: keras.KerasTensor, name: str, size: int) -> keras.KerasTensor:
    """A dense layer with bias.

    Args:
        x: (batch, inputs).
        name: Of the layer.
        size: Number of outputs.
    """
    return layers.Dense(size, **uniform_with_bias(x.shape[-1]), name=name)(x)


def shuffled(x: keras.KerasTensor, name: str, groups: int) -> keras.KerasTensor:
    """The channels read as `groups` rows and written column by column: 0, n, 2n ..., 1, n + 1 ..., n channels a row.

    With two groups output 2j is input j and output 2j + 1 is input n + j; with half as many groups as channels it is
    the reverse of that.

    Args:
        x: (batch, bands, frames, channels).
        name: Of the last of the three layers.
        groups: Number of groups, a divisor of the channels.
    """
    bands, frames, channels = x.shape[1:]
    x = layers.Reshape((bands * frames, groups, channels // groups), name=f"{name}_groups")(x)
    x = layers.Permute((1, 3, 2), name=f"{name}_permute")(x)
    return layers.Reshape((bands, frames, channels), name=name)(x)


@keras.saving.register_keras_serializable(package="asc_tf")
class AxisMean(layers.Layer):
    """Mean over the bands or over the frames, which leaves an axis of size 1.

    Args:
        axis: "frequency" or "time".
        name: Of the layer.
        trainable: Without effect; for Keras.
        dtype: Of the computation.
    """

    def __init__(
        self,
        axis: Literal["frequency", "time"],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.axis = axis

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, 1, frames, channels) or (batch, bands, 1, channels) of x (batch, bands, frames, channels)."""
        return ops.mean(x, axis=("frequency", "time").index(self.axis) + 1, keepdims=True)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """The shape of the input with a 1 on the axis."""
        batch, bands, frames, channels = input_shape
        return (batch, 1, frames, channels) if self.axis == "frequency" else (batch, bands, 1, channels)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"axis": self.axis}
