"""The block of MobileNetV3 with squeeze and excitation on channels, as MN has it everywhere and DyMN in places.

Source:  Howard et al., "Searching for MobileNetV3", 2019, as in github.com/fschmid56/EfficientAT.
A layer is named after its module in the original, underscores for dots.
"""

import keras
from keras import layers

from asc_tf.checkpoints.guess import Shapes
from asc_tf.models._blocks import convolved, kaiming, make_divisible, padded
from asc_tf.models._mobilenet import Block, dense, normalised

SQUEEZE_DIVISOR = 4  # of the channels inside squeeze and excitation


def inverted_residual(x: keras.KerasTensor, name: str, block: Block) -> keras.KerasTensor:
    """Expansion unless the width stays, depthwise convolution, squeeze and excitation, projection.

    Args:
        x: (batch, bands, frames, channels).
        name: Prefix of the layers' names.
        block: Settings of the block.

    Returns:
        (batch, bands / stride, frames / stride, block.channels).
    """
    parts = iter(f"{name}_block_{index}" for index in range(4))
    inner = x
    if block.expanded != x.shape[-1]:
        part = next(parts)
        inner = normalised(convolved(inner, f"{part}_0", channels=block.expanded), part, block.activation)
    inner = _depthwise(inner, next(parts), block)
    if block.squeezed:
        inner = _squeeze_and_excitation(inner, next(parts))
    part = next(parts)
    inner = normalised(convolved(inner, f"{part}_0", channels=block.channels), part)
    adds = block.stride == 1 and inner.shape == x.shape
    return layers.Add(name=name)([inner, x]) if adds else inner


def _depthwise(x, name, block):
    same = block.stride == 1
    x = layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same" if same else "valid",
        use_bias=False,
        depthwise_initializer=kaiming("depthwise"),
        name=f"{name}_0",
    )(x if same else padded(x, f"{name}_0", pad=block.kernel // 2))
    return normalised(x, name, block.activation)


def _squeeze_and_excitation(x, name):
    """Each channel times a weight in 0..1, computed of the means of all channels."""
    prefix = f"{name}_conc_se_layers_0"
    means = layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}_mean")(x)
    weights = dense(means, f"{prefix}_fc1", make_divisible(x.shape[-1] // SQUEEZE_DIVISOR))
    weights = dense(layers.ReLU(name=f"{prefix}_activation")(weights), f"{prefix}_fc2", x.shape[-1])
    weights = layers.Activation("sigmoid", name=f"{prefix}_scale_activation")(weights)
    return layers.Multiply(name=name)([x, weights])


def block_sizes(shapes: Shapes, prefix: str) -> tuple[int, int]:
    """(expanded, channels) of a checkpoint's block.

    Args:
        shapes: Shape of every tensor by key.
        prefix: Module of the block, as "features.1".

    Raises:
        LookupError: There is no such block.
    """
    last = max((part for part in range(4) if f"{prefix}.block.{part}.0.weight" in shapes), default=0)
    channels, expanded = shapes[f"{prefix}.block.{last}.0.weight"][:2]
    return expanded, channels
