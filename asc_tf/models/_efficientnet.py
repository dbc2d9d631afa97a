"""The convolutional part of EfficientNet, with the padding of efficientnet_pytorch.

Source:  Tan and Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019, as in
         efficientnet_pytorch 0.7.1 (github.com/lukemelas/EfficientNet-PyTorch), whose initial weights it has too.
A layer is named after its module in the original, underscores for dots: `effnet._blocks.3._bn1` is
"effnet__blocks_3__bn1".
"""

import math
import typing

import keras
from keras import layers

from asc_tf.models import _fast_layers
from asc_tf.models._blocks import dropped, make_divisible
from asc_tf.models._mobilenet import BATCH_NORM

STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
SQUEEZE = 0.25  # channels inside squeeze and excitation, as a share of those of the block's input


class Scale(typing.NamedTuple):
    """Size of an EfficientNet.

    Args:
        width: Factor of all channels.
        depth: Factor of the number of blocks of every stage.
        image: Height and width of the images for which the published network is padded.
    """

    width: float
    depth: float
    image: int


SCALES = {
    "b0": Scale(1.0, 1.0, 224),
    "b1": Scale(1.0, 1.1, 240),
    "b2": Scale(1.1, 1.2, 260),
    "b3": Scale(1.2, 1.4, 300),
    "b4": Scale(1.4, 1.8, 380),
    "b5": Scale(1.6, 2.2, 456),
    "b6": Scale(1.8, 2.6, 528),
    "b7": Scale(2.0, 3.1, 600),
}


class MBConvStage(typing.NamedTuple):
    """Blocks in a row, at the scale b0.

    Args:
        blocks: Number of blocks.
        kernel: Height and width of the depthwise kernels.
        stride: Of the first block.
        expansion: Factor of the channels inside a block.
        channels: Of the blocks' outputs.
    """

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    MBConvStage(1, 3, 1, 1, 16),
    MBConvStage(2, 3, 2, 6, 24),
    MBConvStage(2, 5, 2, 6, 40),
    MBConvStage(3, 3, 2, 6, 80),
    MBConvStage(3, 5, 1, 6, 112),
    MBConvStage(4, 5, 2, 6, 192),
    MBConvStage(1, 3, 1, 6, 320),
)


class MBConv(typing.NamedTuple):
    """An inverted residual block.

    Args:
        kernel: Height and width of the depthwise kernel.
        stride: Of both axes.
        expansion: Factor of the channels inside the block.
        channels: Of the output.
        padding: Zeros (before, after) on both axes.
    """

    kernel: int
    stride: int
    expansion: int
    channels: int
    padding: tuple[int, int]


def features(x: keras.KerasTensor, size: str, drop_connect: float) -> keras.KerasTensor:
    """Features with a 32nd of the bands and frames.

    Args:
        x: (batch, bands, frames, channels).
        size: Key of SCALES.
        drop_connect: Rate at which the block after the last is left out of a clip's training step.

    Returns:
        (batch, bands / 32, frames / 32, 1280 times the scale's width).
    """
    width, (stem_padding, plan) = SCALES[size].width, blocks(size)
    x = _padded(x, "effnet__conv_stem", stem_padding)
    x = _convolved(x, "effnet__conv_stem", make_divisible(STEM_CHANNELS * width), kernel=3, stride=2)
    x = _normalised(x, "effnet__bn0")
    for number, block in enumerate(plan):
        x = _block(x, f"effnet__blocks_{number}", block, drop_connect * number / len(plan))
    return _normalised(_convolved(x, "effnet__conv_head", make_divisible(HEAD_CHANNELS * width)), "effnet__bn1")


def smallest_input(size: str) -> int:
    """Least number of bands, and of frames, of which the strides leave anything.

    Args:
        size: Key of SCALES.
    """
    stem_padding, plan = blocks(size)
    convolutions = [(3, 2, stem_padding), *((block.kernel, block.stride, block.padding) for block in plan)]
    return next(number for number in range(1, 99) if _remaining(number, convolutions) > 0)


def _remaining(size, convolutions):
    for kernel, stride, padding in convolutions:
        size = max((size + sum(padding) - kernel) // stride + 1, 0)
    return size


def blocks(size: str) -> tuple[tuple[int, int], list[MBConv]]:
    """Padding of the first convolution, and all blocks in order.

    The zeros are those of TensorFlow's "same" for the scale's image size, whatever the size of the input.

    Args:
        size: Key of SCALES.
    """
    scale = SCALES[size]
    image, result = scale.image, []
    stem_padding, image = static_padding(image, 3, 2), math.ceil(image / 2)
    for stage in STAGES:
        for number in range(math.ceil(scale.depth * stage.blocks)):
            stride = 1 if number else stage.stride
            padding = static_padding(image, stage.kernel, stride)
            channels = make_divisible(stage.channels * scale.width)
            result.append(MBConv(stage.kernel, stride, stage.expansion, channels, padding))
            image = math.ceil(image / stride)
    return stem_padding, result


def static_padding(image: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis with which ceil(image / stride) steps of the kernel cover it.

    Args:
        image: Size of the axis.
        kernel: Size of the kernel.
        stride: Of the kernel.
    """
    total = max((math.ceil(image / stride) - 1) * stride + kernel - image, 0)
    return total // 2, total - total // 2


def _block(x, name, block, rate):
    """Expansion, depthwise convolution, squeeze and excitation, projection, and the shortcut where nothing changes."""
    inner, expanded = x, x.shape[-1] * block.expansion
    if block.expansion > 1:
        inner = _normalised(_convolved(x, f"{name}__expand_conv", expanded), f"{name}__bn0")
    depthwise = layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        use_bias=False,
        depthwise_initializer=_uniform(expanded),  # Keras counts the channels as inputs of each
        name=f"{name}__depthwise_conv",
    )
    inner = depthwise(_padded(inner, f"{name}__depthwise_conv", block.padding))
    inner = _normalised(inner, f"{name}__bn1")
    inner = _squeeze_and_excitation(inner, name, max(1, int(x.shape[-1] * SQUEEZE)))
    inner = _convolved(inner, f"{name}__project_conv", block.channels)
    inner = _normalised(inner, f"{name}__bn2", activation=False)
    if block.stride > 1 or block.channels != x.shape[-1]:
        return inner
    return layers.Add(name=f"{name}_add")([dropped(inner, f"{name}_drop_connect", rate), x])


def _squeeze_and_excitation(x, name, size):
    """Each channel times a weight in 0..1, computed of the means of all channels."""
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    weights = _convolved(weights, f"{name}__se_reduce", size, bias=True)
    weights = layers.Activation("silu", name=f"{name}_se_act")(weights)
    weights = _convolved(weights, f"{name}__se_expand", x.shape[-1], bias=True)
    weights = layers.Activation("sigmoid", name=f"{name}_se_scale")(weights)
    return layers.Multiply(name=f"{name}_se")([x, weights])


def _padded(x, name, padding):
    return layers.ZeroPadding2D((padding, padding), name=f"{name}_pad")(x) if any(padding) else x


def _convolved(x, name, channels, *, kernel=1, stride=1, bias=False):
    convolution = layers.Conv2D(
        channels, kernel, strides=stride, use_bias=bias, kernel_initializer=_uniform(1), name=name
    )
    return convolution(x)


def _normalised(x, name, *, activation=True):
    x = _fast_layers.BatchNormalization(**BATCH_NORM, name=name)(x)
    return layers.Activation("silu", name=f"{name}_act")(x) if activation else x


def _uniform(inputs):
    """PyTorch's default, uniform up to 1 / sqrt(fan_in), for a kernel whose fan_in Keras counts `inputs` times."""
    return keras.initializers.VarianceScaling(inputs / 3, "fan_in", "uniform")
