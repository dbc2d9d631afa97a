"""Pieces that several networks share.

Shapes are (batch, bands, frames, channels). Strided convolutions are padded symmetrically by a layer before them:
"same" pads one side only where the stride is 2 and the size even, which shifts the spectrogram against the PyTorch
originals (38 instead of 82 of 110 seconds right with their weights).
"""

import bisect
from collections.abc import Callable, Sequence

import keras
from keras import layers, ops

from asc_tf.errors import UserError
from asc_tf.models import _fast_layers

# PyTorch's batch norm: epsilon 1e-5, and momentum 0.1 is the weight of the new value.
BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}

# Of factors that are inferred from a checkpoint's channels.
LARGEST_FACTOR, MOST_DECIMALS = 16, 6

# torch's kaiming_normal_(mode="fan_out"): std sqrt(2 / (out * kh * kw)), not truncated.  For a depthwise
# kernel (kh, kw, C, 1) that is 2 / (kh * kw * C), which Keras calls "fan_in".
KAIMING = {
    "conv": {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"},
    "depthwise": {"scale": 2.0, "mode": "fan_in", "distribution": "untruncated_normal"},
}


def kaiming(kind: str) -> keras.initializers.Initializer:
    """A new Kaiming normal initializer; one that several layers share would repeat its numbers.

    Args:
        kind: "conv" or "depthwise", the kernel's layer.
    """
    return keras.initializers.VarianceScaling(**KAIMING[kind])


def make_divisible(value: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `value`, at least `divisor` and never below 90 % of `value`.

    Args:
        value: Number of channels before rounding.
        divisor: The result is a multiple of it.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def plainest_factor(
    channels: Callable[[float], Sequence[int]], wanted: Sequence[int], published: Sequence[float]
) -> float:
    """The factor with the fewest decimals that gives the channels of a checkpoint; of several the nearest published.

    Args:
        channels: Function from a factor to numbers of channels, each of which rises with the factor or stays.
        wanted: The numbers of the checkpoint.
        published: Factors of published networks.

    Raises:
        ValueError: No factor up to LARGEST_FACTOR with at most MOST_DECIMALS gives them.
    """
    for decimals in range(MOST_DECIMALS + 1):
        scale = 10**decimals
        fitting = _fitting(channels, wanted, scale)
        if fitting:
            nearest = {min(max(round(factor * scale), fitting[0]), fitting[-1]) / scale for factor in published}
            return min(nearest, key=lambda factor: min(abs(factor - known) for known in published))
    raise ValueError(f"no factor of the width gives {list(wanted)} channels")


def _fitting(channels, wanted, scale):
    """The whole numbers n, a range, for which channels(n / scale) are the wanted ones."""

    def reaches(step):
        return all(number >= least for number, least in zip(channels(step / scale), wanted, strict=True))

    def exceeds(step):
        return any(number > most for number, most in zip(channels(step / scale), wanted, strict=True))

    steps = range(1, LARGEST_FACTOR * scale + 1)
    return steps[bisect.bisect_left(steps, True, key=reaches) : bisect.bisect_left(steps, True, key=exceeds)]


def padded(x: keras.KerasTensor, name: str, *, pad: int) -> keras.KerasTensor:
    """x with `pad` zeros at both ends of both axes.

    Args:
        x: (batch, bands, frames, channels).
        name: Of the layer that follows; the padding is "{name}_pad".
        pad: Number of zeros.

    Returns:
        (batch, bands + 2 pad, frames + 2 pad, channels).
    """
    return layers.ZeroPadding2D(pad, name=f"{name}_pad")(x)


def normalised(x: keras.KerasTensor, name: str, *, relu: bool = True) -> keras.KerasTensor:
    """Batch norm "{name}_bn" and, with `relu`, ReLU "{name}_relu".

    Args:
        x: (batch, bands, frames, channels).
        name: Prefix of the layers' names.
        relu: Whether ReLU follows.
    """
    x = _fast_layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def convolved(
    x: keras.KerasTensor,
    name: str,
    *,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    pad: int = 0,
    groups: int = 1,
    initializer: keras.initializers.Initializer | str | None = None,
) -> keras.KerasTensor:
    """A convolution without bias, symmetrically padded.

    Args:
        x: (batch, bands, frames, channels).
        name: Of the convolution.
        channels: Of the result.
        kernel: Height and width of the kernel.
        stride: Of both axes.
        pad: Number of zeros on every side.
        groups: Number of groups of channels that are convolved separately.
        initializer: Of the kernel; Kaiming normal by default.
    """
    same = stride == 1 and 2 * pad == kernel - 1
    layer = _fast_layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        padding="same" if same else "valid",
        groups=groups,
        use_bias=False,
        kernel_initializer=initializer or kaiming("conv"),
        name=name,
    )
    return layer(x if same else padded(x, name, pad=pad))


def depthwise(
    x: keras.KerasTensor,
    name: str,
    stride: tuple[int, int],
    normalise: Callable[[keras.KerasTensor], keras.KerasTensor],
    *,
    foldable: bool,
    initializer: keras.initializers.Initializer,
    multiplier: int = 1,
    convolution: str | None = None,
) -> keras.KerasTensor:
    """A 3x3 depthwise convolution without bias, symmetrically padded, and what normalises it.

    Args:
        x: (batch, bands, frames, channels).
        name: Prefix of the layers' names, "{name}_pad" and "{name}_stride".
        stride: Of bands and frames; the two may differ.
        normalise: Function that adds batch norm and activation.
        foldable: As for `subsampled`; that form also pads by a layer, so that the TFLite file can stride.
        initializer: Of the kernel.
        multiplier: Outputs of every channel.
        convolution: Name of the convolution; `name` by default.
    """
    # TensorFlow's CPU kernel refuses unequal strides: stride 1 and an exact subsampling do the same.
    native = stride if stride[0] == stride[1] else (1, 1)
    same = native == (1, 1) and (native == stride or not foldable)  # at stride 1 "same" pads as PyTorch does
    layer = layers.DepthwiseConv2D(
        3,
        strides=native,
        padding="same" if same else "valid",
        depth_multiplier=multiplier,
        use_bias=False,
        depthwise_initializer=initializer,
        name=convolution or name,
    )
    x = layer(x if same else padded(x, name, pad=1))
    return normalise(x) if native == stride else subsampled(x, name, stride, normalise, foldable=foldable)


def subsampled(
    x: keras.KerasTensor,
    name: str,
    stride: tuple[int, int],
    normalise: Callable[[keras.KerasTensor], keras.KerasTensor],
    *,
    foldable: bool,
) -> keras.KerasTensor:
    """Every stride-th band and frame of a convolution of stride 1, normalised.

    Args:
        x: (batch, bands, frames, channels), the output of the convolution.
        name: Prefix of the layer's name, "{name}_stride".
        stride: Of bands and frames.
        normalise: Function that adds batch norm and activation.
        foldable: Whether they come before the subsampling, so that they fold into the convolution, as quantisation
            needs; otherwise after it, as in the originals, whose statistics in training are of fewer positions.
    """
    layer = layers.MaxPooling2D(1, strides=stride, name=f"{name}_stride")
    return layer(normalise(x)) if foldable else normalise(layer(x))


def dropped(x: keras.KerasTensor, name: str, share: float) -> keras.KerasTensor:
    """Stochastic depth: in training a branch is 0 for a share of the clips and divided by the rest for the others.

    Args:
        x: (batch, ...).
        name: Of the layer.
        share: Share of the clips; there is no layer at 0.
    """
    noise_shape = (None,) + (1,) * (len(x.shape) - 1)
    return layers.Dropout(share, noise_shape=noise_shape, name=name)(x) if share else x


def checked_input(where: str, input_shape: Sequence[int], classes: int) -> tuple[int, int, int]:
    """The input shape as a tuple.

    Args:
        where: Start of the error message, as "models/cp_mobile".
        input_shape: (bands, frames, channels).
        classes: Number of classes.

    Raises:
        UserError: A size or the number of classes is not a whole number above 0, or there are not three sizes.
    """
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise UserError(f"{where}: the input is {shape}; it must be (bands, frames, channels), whole numbers above 0.")
    if not isinstance(classes, int) or classes < 1:
        raise UserError(f"{where}: classes = {classes!r}; it must be a whole number above 0.")
    return shape


@keras.saving.register_keras_serializable(package="asc_tf")
class GlobalResponseNorm(layers.Layer):
    """Global response normalisation: y = gamma * x * n + beta + x.

    n is the channel's L2 norm over bands and frames, divided by the mean norm of the channels plus 1e-6; gamma and
    beta are scalars that start at 0, so that the layer starts as the identity. The constructor takes the arguments
    of keras.layers.Layer.

    Source: Schmid et al., CP-Mobile, DCASE 2023 (one scalar each, unlike ConvNeXt V2's one a channel).
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates gamma and beta, (1,) each."""
        self.gamma = self.add_weight(shape=(1,), initializer="zeros", name="gamma")
        self.beta = self.add_weight(shape=(1,), initializer="zeros", name="beta")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Normalised values.

        Args:
            x: (batch, bands, frames, channels), any float type.
        """
        # The floor keeps the gradient of the root finite where a channel is silent.
        power = ops.maximum(ops.sum(ops.square(x), axis=(1, 2), keepdims=True), 1e-30)
        norm = ops.sqrt(power)  # (batch, 1, 1, channels)
        ratio = norm / (ops.mean(norm, axis=-1, keepdims=True) + 1e-6)
        return self.gamma * (x * ratio) + self.beta + x

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Sequence[int | None]:
        """The shape of the input."""
        return input_shape
