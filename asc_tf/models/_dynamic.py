"""How does a layer take its weights from the clip it hears?

Source:  Schmid et al., "Dynamic convolutional neural networks as efficient pre-trained audio models",
         2023 (github.com/fschmid56/EfficientAT): dynamic convolution, dynamic ReLU, coordinate attention.
Shapes are (batch, bands, frames, channels).  Weights keep the original's order of axes, reshaped.
"""

import keras
from keras import layers, ops

KERNELS = 4
# Slopes and offsets of the two lines of a dynamic ReLU: where they start, and how far they can go from there.
START = (1.0, 0.0, 0.0, 0.0)
REACH = (1.0, 1.0, 0.5, 0.5)


class _DynamicConv(layers.Layer):
    """Convolves every clip with a kernel of its own, the mean of KERNELS by softmax(scores / temperature).

    Takes [x (batch, bands, frames, channels), scores (batch, KERNELS)]; no bias.  The temperature is a
    variable, saved with the weights; `begin_epoch` sets it, from `start_temperature` on.
    """

    def __init__(self, *, start_temperature, **kwargs):
        super().__init__(**kwargs)
        self.start_temperature = start_temperature

    def add_kernels(self, outputs, inputs, size):
        """The weights of KERNELS kernels (outputs, inputs, size, size), each Kaiming normal over its outputs."""
        self.kernel_shape = (outputs, inputs, size, size)
        self.weight = self.add_weight(
            shape=(KERNELS, outputs * inputs * size**2),
            initializer=keras.initializers.RandomNormal(stddev=(2 / (outputs * size**2)) ** 0.5),
            name="weight",
        )
        start = keras.initializers.Constant(self.start_temperature)
        self.temperature = self.add_weight(shape=(), initializer=start, trainable=False, name="temperature")

    def begin_epoch(self, epoch):
        """Sets the temperature of an epoch, counted from 0."""
        self.temperature.assign(kernel_temperature(epoch, start=self.start_temperature))

    def kernels(self, scores):
        """(batch, *kernel_shape): the kernel of every clip."""
        shares = ops.softmax(scores / self.temperature)
        return ops.reshape(ops.matmul(shares, self.weight), (-1, *self.kernel_shape))

    def get_config(self):
        return super().get_config() | {"start_temperature": self.start_temperature}


@keras.saving.register_keras_serializable(package="asc_tf")
class DynamicPointwise(_DynamicConv):
    """The 1x1 convolution to `channels`."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def build(self, input_shape):
        self.add_kernels(self.channels, input_shape[0][-1], 1)

    def call(self, inputs):
        x, scores = inputs
        kernels = self.kernels(scores)[..., 0, 0]
        flat = ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))
        return ops.reshape(ops.einsum("bpi,boi->bpo", flat, kernels), (-1, *x.shape[1:3], self.channels))

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], self.channels)

    def get_config(self):
        return super().get_config() | {"channels": self.channels}


@keras.saving.register_keras_serializable(package="asc_tf")
class DynamicDepthwise(_DynamicConv):
    """The depthwise convolution; "same" at stride 1, otherwise it leaves padding to its caller.

    Computed as one of (batch x channels) channels: 2 to 3 times as fast on a CPU, forward and back, as the
    static convolutions of KERNELS kernels and their mean.
    """

    def __init__(self, kernel_size, *, stride, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size, self.stride = kernel_size, stride

    def build(self, input_shape):
        self.add_kernels(input_shape[0][-1], 1, self.kernel_size)

    def call(self, inputs):
        x, scores = inputs
        bands, frames, channels = x.shape[1:]
        kernels = ops.transpose(self.kernels(scores), (3, 4, 0, 1, 2))
        kernels = ops.reshape(kernels, (self.kernel_size, self.kernel_size, -1, 1))
        x = ops.reshape(ops.transpose(x, (1, 2, 0, 3)), (1, bands, frames, -1))
        x = ops.depthwise_conv(x, kernels, self.stride, "same" if self.stride == 1 else "valid")
        x = ops.reshape(x, (*x.shape[1:3], -1, channels))
        return ops.transpose(x, (2, 0, 1, 3))

    def compute_output_shape(self, input_shape):
        batch, bands, frames, channels = input_shape[0]
        lost = 0 if self.stride == 1 else self.kernel_size - self.stride
        return (batch, (bands - lost) // self.stride, (frames - lost) // self.stride, channels)

    def get_config(self):
        return super().get_config() | {"kernel_size": self.kernel_size, "stride": self.stride}


@keras.saving.register_keras_serializable(package="asc_tf")
class DynamicReLU(layers.Layer):
    """max(a1 x + b1, a2 x + b2), the lines of every clip and channel: the ReLU until it has learned otherwise.

    Takes [x (batch, bands, frames, channels), (batch, 4 x channels)]: a1, a2, b1, b2 of the first channel, of
    the second and so on, before the squashing of each to START -+ REACH ("DyReLU-B").
    """

    def call(self, inputs):
        x, raw = inputs
        lines = 2 * ops.sigmoid(ops.reshape(raw, (-1, 1, 1, x.shape[-1], 4))) - 1
        lines = lines * ops.array(REACH, lines.dtype) + ops.array(START, lines.dtype)
        return ops.maximum(x * lines[..., 0] + lines[..., 2], x * lines[..., 1] + lines[..., 3])

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable(package="asc_tf")
class AxisMeans(layers.Layer):
    """(batch, bands, frames, channels) -> (batch, bands + frames, 1, channels): each band's mean, each frame's."""

    def call(self, x):
        of_frames = ops.transpose(ops.mean(x, axis=1, keepdims=True), (0, 2, 1, 3))
        return ops.concatenate([ops.mean(x, axis=2, keepdims=True), of_frames], axis=1)

    def compute_output_shape(self, input_shape):
        batch, bands, frames, channels = input_shape
        return (batch, bands + frames, 1, channels)


def kernel_temperature(epoch, *, start):
    """Of DyMN's softmax over kernels: `start` in epoch 0, 1 less every epoch, never below 1.

    Source: Schmid et al., DyMN, 2023.  Its second, slower slope of 0.02 an epoch begins where the first
    has reached 1, and so changes nothing.
    """
    return max(start - epoch, 1.0)
