"""The skeleton that MN and DyMN share: table of blocks, stem and head.

Source:  Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge distillation",
         ICASSP 2023 (github.com/fschmid56/EfficientAT): MobileNetV3-large with one input channel.
A layer is named after its module in the original, underscores for dots: `features.4.block.1.0` is
"features_4_block_1_0".  Layers without weights have names of the same kind.
"""

import typing
from collections.abc import Sequence

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
    """Settings of an inverted residual block.

    Args:
        kernel: Height and width of the depthwise kernel.
        expanded: Channels inside the block.
        channels: Channels of the block's output.
        stride: Of the depthwise convolution, on both axes.
        activation: Keras's name of the activation.
        squeezed: Whether the block has squeeze and excitation; in MN only.
    """

    kernel: int
    expanded: int
    channels: int
    stride: int
    activation: str
    squeezed: bool


# At width 1.
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


def blocks(width: float) -> list[Block]:
    """The blocks with their channels at a width.

    Args:
        width: Factor of all channels, which are then rounded to multiples of 8.
    """
    return [
        block._replace(expanded=make_divisible(block.expanded * width), channels=make_divisible(block.channels * width))
        for block in BLOCKS
    ]


def checked(where: str, input_shape: Sequence[int], classes: int, width: float) -> tuple[int, int, int]:
    """The input shape as a tuple.

    Args:
        where: Start of the error message, as "models/dymn".
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Factor of all channels.

    Raises:
        UserError: The shape, the number of classes or the width is out of range.
    """
    if width <= 0:
        raise UserError(f"{where}: width = {width}; it must be above 0: 0.4, 1.0 and 2.0 are published.")
    return checked_input(where, input_shape, classes)


def normalised(x: keras.KerasTensor, name: str, activation: str | None = None) -> keras.KerasTensor:
    """Batch norm "{name}_1" and, with `activation`, activation "{name}_2", as they follow a convolution "{name}_0".

    Args:
        x: (batch, bands, frames, channels).
        name: Prefix of the layers' names.
        activation: Keras's name of the activation.
    """
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_1")(x)
    return layers.Activation(activation, name=f"{name}_2")(x) if activation else x


def stem(x: keras.KerasTensor, name: str, width: float) -> keras.KerasTensor:
    """3x3 convolution of stride 2, batch norm, hard swish.

    Args:
        x: (batch, bands, frames, channels).
        name: Prefix of the layers' names.
        width: Factor of the channels.
    """
    channels = make_divisible(STEM_CHANNELS * width)
    return normalised(convolved(x, f"{name}_0", channels=channels, kernel=3, stride=2, pad=1), name, HARD_SWISH)


def head(x: keras.KerasTensor, name: str, width: float, classes: int) -> keras.KerasTensor:
    """1x1 convolution, mean (the embedding, "classifier_0") and two dense layers.

    Args:
        x: (batch, bands, frames, channels).
        name: Prefix of the names of the convolution's layers.
        width: Factor of the channels.
        classes: Number of classes.

    Returns:
        (batch, classes) logits.
    """
    x = normalised(convolved(x, f"{name}_0", channels=6 * x.shape[-1]), name, HARD_SWISH)
    x = layers.GlobalAveragePooling2D(name="classifier_0")(x)
    x = dense(x, "classifier_2", make_divisible(HIDDEN_CHANNELS * width))
    x = layers.Activation(HARD_SWISH, name="classifier_3")(x)
    return dense(layers.Dropout(DROPOUT, name="classifier_4")(x), "classifier_5", classes)


def dense(x: keras.KerasTensor, name: str, size: int) -> keras.KerasTensor:
    """A dense layer with the originals' initializer, a normal distribution of std 0.01.

    Args:
        x: (..., inputs).
        name: Of the layer.
        size: Number of outputs.
    """
    return layers.Dense(size, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01), name=name)(x)
