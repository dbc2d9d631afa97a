"""Which skeleton do MN and DyMN share?

Source:  Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge distillation",
         ICASSP 2023 (github.com/fschmid56/EfficientAT): MobileNetV3-large with one input channel.
A layer is named after its module in the original, underscores for dots: `features.4.block.1.0` is
"features_4_block_1_0".  Layers without weights have names of the same kind.
"""

import typing

import keras
from keras import layers

from asc_tf.errors import UserError
from asc_tf.models._blocks import checked_input, convolved, make_divisible

BATCH_NORM = {"epsilon": 1e-3, "momentum": 0.99}
HARD_SWISH = "hard_swish"
STEM_CHANNELS = 16
HIDDEN_CHANNELS = 1280
DROPOUT = 0.2


class Block(typing.NamedTuple):
    """An inverted residual block: its depthwise kernel and its channels; `squeezed` in MN only."""

    kernel: int
    expanded: int
    channels: int
    stride: int
    activation: str
    squeezed: bool


# Kernel, expanded and output channels at width 1, stride, activation, squeeze and excitation.
BLOCKS = (
    Block(3, 16, 16, 1, "relu", False),
    Block(3, 64, 24, 2, "relu", False),
    Block(3, 72, 24, 1, "relu", False),
    Block(5, 72, 40, 2, "relu", True),
    Block(5, 120, 40, 1, "relu", True),
    Block(5, 120, 40, 1, "relu", True),
    Block(3, 240, 80, 2, HARD_SWISH, False),
    Block(3, 200, 80, 1, HARD_SWISH, False),
    Block(3, 184, 80, 1, HARD_SWISH, False),
    Block(3, 184, 80, 1, HARD_SWISH, False),
    Block(3, 480, 112, 1, HARD_SWISH, True),
    Block(3, 672, 112, 1, HARD_SWISH, True),
    Block(5, 672, 160, 2, HARD_SWISH, True),
    Block(5, 960, 160, 1, HARD_SWISH, True),
    Block(5, 960, 160, 1, HARD_SWISH, True),
)


def blocks(width):
    """The blocks with their channels at a width."""
    return [
        block._replace(expanded=make_divisible(block.expanded * width), channels=make_divisible(block.channels * width))
        for block in BLOCKS
    ]


def checked(where, input_shape, classes, width):
    """`input_shape` as three ints.  Raises UserError when it, the classes or the width cannot be built."""
    if width <= 0:
        raise UserError(f"{where}: width = {width}; it must be above 0: 0.4, 1.0 and 2.0 are published.")
    return checked_input(where, input_shape, classes)


def normalised(x, name, activation=None):
    """Batch norm `{name}_1` and, where asked, activation `{name}_2`: a convolution `{name}_0` is followed so."""
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_1")(x)
    return layers.Activation(activation, name=f"{name}_2")(x) if activation else x


def stem(x, name, width):
    """3x3 convolution of stride 2."""
    channels = make_divisible(STEM_CHANNELS * width)
    return normalised(convolved(x, f"{name}_0", channels=channels, kernel=3, stride=2, pad=1), name, HARD_SWISH)


def head(x, name, width, classes):
    """The logits: 1x1 convolution `name`, mean (the embedding, "classifier_0"), two dense layers."""
    x = normalised(convolved(x, f"{name}_0", channels=6 * x.shape[-1]), name, HARD_SWISH)
    x = layers.GlobalAveragePooling2D(name="classifier_0")(x)
    x = dense(x, "classifier_2", make_divisible(HIDDEN_CHANNELS * width))
    x = layers.Activation(HARD_SWISH, name="classifier_3")(x)
    return dense(layers.Dropout(DROPOUT, name="classifier_4")(x), "classifier_5", classes)


def dense(x, name, size):
    """A dense layer that starts as the originals' do."""
    return layers.Dense(size, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01), name=name)(x)
