"""Which pieces do the networks share?

Shapes are (batch, bands, frames, channels).  Strided convolutions are padded symmetrically by a
layer of their own: "same" pads one side only where the stride is 2 and the size even, which shifts
the picture against the PyTorch originals (38 instead of 82 of 110 seconds right with their weights).
"""

from functools import partial

import keras
from keras import layers, ops

from asc_tf.errors import UserError
from asc_tf.models._fast_layers import fused

# PyTorch's batch norm: epsilon 1e-5, and momentum 0.1 is the weight of the new value.
BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}

# torch's kaiming_normal_(mode="fan_out"): std sqrt(2 / (out * kh * kw)), not truncated.  For a depthwise
# kernel (kh, kw, C, 1) that is 2 / (kh * kw * C), which Keras calls "fan_in".
KAIMING = {
    "conv": {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"},
    "depthwise": {"scale": 2.0, "mode": "fan_in", "distribution": "untruncated_normal"},
}


def kaiming(kind):
    """A fresh initialiser for a "conv" or a "depthwise" kernel; sharing one would repeat its numbers."""
    return keras.initializers.VarianceScaling(**KAIMING[kind])


def make_divisible(value, divisor=8):
    """The multiple of `divisor` nearest to `value`, at least `divisor` and never below 90 % of `value`."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def padded(x, name, *, pad):
    """`pad` zeros at both ends of both axes."""
    return layers.ZeroPadding2D(pad, name=f"{name}_pad")(x)


def normalised(x, name, *, relu=True):
    """Batch norm and, where asked, ReLU."""
    x = fused(layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn"))(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def convolved(x, name, *, channels, kernel=1, stride=1, pad=0, groups=1, initializer=None):
    """A convolution without bias, with `pad` zeros on every side."""
    same = stride == 1 and 2 * pad == kernel - 1
    layer = layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        padding="same" if same else "valid",
        groups=groups,
        use_bias=False,
        kernel_initializer=initializer or kaiming("conv"),
        name=name,
    )
    if groups > 1:
        layer.convolution_op = partial(_by_groups, layer)
    return layer(x if same else padded(x, name, pad=pad))


def _by_groups(layer, inputs, kernel):
    """One convolution a group: Keras compiles the grouped one by XLA on CPUs, which trains 10 times slower."""
    pairs = zip(ops.split(inputs, layer.groups, axis=-1), ops.split(kernel, layer.groups, axis=-1), strict=True)
    return ops.concatenate([ops.conv(x, part, layer.strides, layer.padding) for x, part in pairs], axis=-1)


def checked_input(where, input_shape, classes):
    """`input_shape` as three ints.  Raises UserError unless it is (bands, frames, channels) and classes > 0."""
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise UserError(f"{where}: the input is {shape}; it must be (bands, frames, channels), whole numbers above 0.")
    if not isinstance(classes, int) or classes < 1:
        raise UserError(f"{where}: classes = {classes!r}; it must be a whole number above 0.")
    return shape


@keras.saving.register_keras_serializable(package="asc_tf")
class GlobalResponseNorm(layers.Layer):
    """How loud is a channel against the mean of all channels?  y = gamma * x * n + beta + x.

    n is the channel's L2 norm over bands and frames, divided by the mean norm of the channels plus
    1e-6; gamma and beta are scalars that start at 0.  Source: Schmid et al., CP-Mobile, DCASE 2023
    (one scalar each, unlike ConvNeXt V2's one a channel).  Any float (batch, bands, frames, channels).
    """

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=(1,), initializer="zeros", name="gamma")
        self.beta = self.add_weight(shape=(1,), initializer="zeros", name="beta")

    def call(self, x):
        # The floor keeps the gradient of the root finite where a channel is silent.
        power = ops.maximum(ops.sum(ops.square(x), axis=(1, 2), keepdims=True), 1e-30)
        norm = ops.sqrt(power)
        ratio = norm / (ops.mean(norm, axis=-1, keepdims=True) + 1e-6)
        return self.gamma * (x * ratio) + self.beta + x

    def compute_output_shape(self, input_shape):
        return input_shape
