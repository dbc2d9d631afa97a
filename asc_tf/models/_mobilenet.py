"""The skeleton that MN and DyMN share: table of blocks, stem and head.

Source:  Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge distillation",
         ICASSP 2023 (github.com/fschmid56/EfficientAT): MobileNetV3-large with one input channel.
A layer is named after its module in the original, underscores for dots: `features.4.block.1.0` is
"features_4_block_1_0".  Layers without weights have names of the same kind.
"""

import typing
from collections.abc import Mapping, Sequence

import keras
from keras import layers

from asc_tf.checkpoints.guess import Shapes
from asc_tf.errors import UserError
from asc_tf.models import _blocks
from asc_tf.models._blocks import checked_input, convolved, make_divisible, plainest_factor

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
STRIDES = tuple(block.stride for block in BLOCKS)
WIDTHS = (0.1, 0.2, 0.4, 0.5, 1.0, 2.0, 3.0, 4.0)  # published


def blocks(width: float, strides: Sequence[int] = STRIDES) -> list[Block]:
    """The blocks with their channels at a width.

    Args:
        width: Factor of all channels, which are then rounded to multiples of 8.
        strides: Of each block.
    """
    return [
        block._replace(
            expanded=make_divisible(block.expanded * width),
            channels=make_divisible(block.channels * width),
            stride=stride,
        )
        for block, stride in zip(BLOCKS, strides, strict=True)
    ]


def width_of(stem_channels: int, sizes: Mapping[int, tuple[int, int]], hidden: int | None) -> float:
    """The plainest width that gives the channels of a checkpoint.

    Args:
        stem_channels: Channels of the first convolution.
        sizes: (expanded, channels) of each block by its number, from 0.
        hidden: Size of the hidden dense layer; None where there is none.

    Raises:
        ValueError: No width gives them.
    """

    def channels(width):
        plan, last = blocks(width), [make_divisible(HIDDEN_CHANNELS * width)]
        inside = [size for number in sizes for size in (plan[number].expanded, plan[number].channels)]
        return [make_divisible(STEM_CHANNELS * width), *inside, *(last if hidden else [])]

    wanted = [stem_channels, *(size for pair in sizes.values() for size in pair), *([hidden] if hidden else [])]
    return plainest_factor(channels, wanted, WIDTHS)


def checked(
    where: str, input_shape: Sequence[int], classes: int, width: float, strides: Sequence[int]
) -> tuple[int, int, int]:
    """The input shape as a tuple.

    Args:
        where: Start of the error message, as "models/dymn".
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Factor of all channels.
        strides: Of each block.

    Raises:
        UserError: The shape, the number of classes or a setting is out of range.
    """
    if len(strides) != len(BLOCKS) or not set(strides) <= {1, 2}:
        raise UserError(f"{where}: strides = {list(strides)}; it must be {len(BLOCKS)} numbers 1 or 2, one a block.")
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


def head(x: keras.KerasTensor, name: str, width: float, classes: int, kind: str) -> keras.KerasTensor:
    """1x1 convolution, then mean (the embedding, "classifier_0") and dense layers, or a convolution and mean.

    Args:
        x: (batch, bands, frames, channels).
        name: Prefix of the names of the first convolution's layers.
        width: Factor of the channels.
        classes: Number of classes.
        kind: "mlp", two dense layers; "linear", one; or "fully_convolutional".

    Returns:
        (batch, classes) logits.
    """
    x = normalised(convolved(x, f"{name}_0", channels=6 * x.shape[-1]), name, HARD_SWISH)
    if kind == "fully_convolutional":
        x = convolved(x, "classifier_0", channels=classes)
        x = layers.BatchNormalization(**_blocks.BATCH_NORM, name="classifier_1")(x)  # PyTorch's, unlike the others
        return layers.GlobalAveragePooling2D(name="classifier_2")(x)
    x = layers.GlobalAveragePooling2D(name="classifier_0")(x)
    if kind == "linear":
        return dense(x, "classifier_1", classes)
    x = dense(x, "classifier_2", make_divisible(HIDDEN_CHANNELS * width))
    x = layers.Activation(HARD_SWISH, name="classifier_3")(x)
    return dense(layers.Dropout(DROPOUT, name="classifier_4")(x), "classifier_5", classes)


def head_of(shapes: Shapes) -> tuple[str, int, int | None]:
    """Kind of a checkpoint's head, number of classes and size of the hidden dense layer, None where there is none.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: There is no such head.
    """
    if "classifier.1.weight" in shapes:
        return "fully_convolutional", shapes["classifier.1.weight"][0], None
    return "mlp", shapes["classifier.5.weight"][0], shapes["classifier.2.weight"][0]


def dense(x: keras.KerasTensor, name: str, size: int) -> keras.KerasTensor:
    """A dense layer with the originals' initializer, a normal distribution of std 0.01.

    Args:
        x: (..., inputs).
        name: Of the layer.
        size: Number of outputs.
    """
    return layers.Dense(size, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01), name=name)(x)
