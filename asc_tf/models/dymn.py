"""DyMN, MobileNetV3-large with kernels, activations and attention that depend on the clip.

Source:  Schmid et al., "Dynamic convolutional neural networks as efficient pre-trained audio models",
         2023 (github.com/fschmid56/EfficientAT).
Input:   (bands, frames, channels), of any size; the originals take 128 bands.   Output: (classes,) logits.
Size:    10 classes: width 0.4: 1,696,018 parameters, 1: 9,886,202, 2: 38,642,106.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import keras
from keras import layers

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models import _mobilenet
from asc_tf.models._blocks import convolved, kaiming, make_divisible, padded
from asc_tf.models._dynamic import KERNELS, AxisMeans, DynamicDepthwise, DynamicPointwise, DynamicReLU
from asc_tf.models._inverted_residual import block_sizes, inverted_residual
from asc_tf.models._mobilenet import BATCH_NORM, HARD_SWISH, dense
from asc_tf.recipe.registry import Allowed

# The context has a quarter of the channels inside the block, within these limits at width 1.
CONTEXT_DIVISOR = 4
CONTEXT_LIMITS = (32, 128)


# A key that every state dict of the family has; settings that shapes do not show.
SIGNATURE = "layers.3.context_gen.joint_conv.weight"
ASSUMED = ("temperature", "strides")


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: float,
    temperature: Annotated[float, Allowed(1e-9)],
    strides: list[int] = _mobilenet.STRIDES,
    head: Literal["mlp", "fully_convolutional"] = "mlp",
    dynamic: Literal["all", "replace_se"] = "all",
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Factor of all channels, which are then rounded to multiples of 8; DyMN10 has 1, DyMN20 2.
        temperature: Temperature of the softmax over the kernels in the first epoch, at least 1; it falls by 1 every
            epoch down to 1. The originals start from 30, and fine-tune AudioSet's weights at 1.
        strides: Of the 15 blocks, 1 or 2. EfficientAT's `strides` are those of blocks 2, 4, 7 and 13, its published
            (2, 2, 1, 1) leaves 1 in the last two.
        head: "mlp", two dense layers after the mean; "fully_convolutional", a 1x1 convolution and batch norm before it.
        dynamic: Which blocks are dynamic: "all", or "replace_se" those which have squeeze and excitation in MN; the
            others are then MN's.

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, 960 at width 1) is the output of the
        layer "classifier_0" of the head "mlp".

    Raises:
        UserError: A setting is out of range.
    """
    where = "models/dymn"
    if temperature < 1:
        raise UserError(f"{where}: temperature = {temperature}; it must be at least 1: 30 from scratch.")
    inputs = keras.Input(_mobilenet.checked(where, input_shape, classes, width, strides), name="spectrogram")
    x = _mobilenet.stem(inputs, "in_c", width)
    least, most = (make_divisible(limit * width) for limit in CONTEXT_LIMITS)
    for number, block in enumerate(_mobilenet.blocks(width, strides)):
        if dynamic == "replace_se" and not block.squeezed:
            x = inverted_residual(x, f"layers_{number}", block)
            continue
        size = min(max(make_divisible(block.expanded // CONTEXT_DIVISOR), least), most)
        x = _block(x, f"layers_{number}", block, size, temperature)
    x = _mobilenet.head(x, "out_c", width, classes, head)
    return keras.Model(inputs, x, name="dymn")


def _block(x, name, block, context_size, temperature):
    """Expansion unless the width stays, depthwise convolution, attention, projection."""
    context, of_bands, of_frames = _context(x, f"{name}_context_gen", block, context_size)

    def dynamic(kind, x, part, *settings, **named):
        scores = dense(context, f"{name}_{part}_residuals_0", KERNELS)
        return kind(*settings, start_temperature=temperature, **named, name=f"{name}_{part}")([x, scores])

    inner = x
    if block.expanded != x.shape[-1]:
        inner = _normalised(dynamic(DynamicPointwise, inner, "exp_conv", block.expanded), f"{name}_exp_norm")
        inner = layers.Activation(block.activation, name=f"{name}_exp_act")(inner)
    if block.stride > 1:
        inner = padded(inner, f"{name}_depth_conv", pad=block.kernel // 2)
    inner = dynamic(DynamicDepthwise, inner, "depth_conv", block.kernel, stride=block.stride)
    lines = dense(context, f"{name}_depth_act_coef_net_0", 4 * block.expanded)
    inner = DynamicReLU(name=f"{name}_depth_act")([_normalised(inner, f"{name}_depth_norm"), lines])
    inner = layers.Multiply(name=f"{name}_ca")([inner, of_bands, of_frames])
    inner = _normalised(dynamic(DynamicPointwise, inner, "proj_conv", block.channels), f"{name}_proj_norm")
    adds = block.stride == 1 and inner.shape == x.shape
    return layers.Add(name=name)([inner, x]) if adds else inner


def _context(x, name, block, size):
    """Context vector of a clip (batch, size), and attention to each band and to each frame of the block's inside.

    The attentions are (batch, bands, 1, expanded) and (batch, 1, frames, expanded), after the block's stride.
    """
    bands, frames = x.shape[1:3]
    joint = convolved(AxisMeans(name=f"{name}_means")(x), f"{name}_joint_conv", channels=size)
    joint = layers.Activation(HARD_SWISH, name=f"{name}_joint_act")(_normalised(joint, f"{name}_joint_norm"))
    of_bands = layers.Cropping2D(((0, frames), (0, 0)), name=f"{name}_bands")(joint)
    of_frames = layers.Cropping2D(((bands, 0), (0, 0)), name=f"{name}_frames")(joint)
    attention = _attention(of_bands, name, "f", block), _attention(of_frames, name, "t", block)
    vector = layers.GlobalAveragePooling2D(name=name)(joint)
    return vector, attention[0], layers.Permute((2, 1, 3), name=f"{name}_turn")(attention[1])


def _attention(sequence, name, axis, block):
    """(batch, length, 1, size) -> (batch, length / stride, 1, expanded), in 0..1."""
    if block.stride > 1:
        # The originals' average counts the padded zeros: "same" would leave them out.
        sequence = layers.ZeroPadding2D((1, 0), name=f"{name}_pool_{axis}_pad")(sequence)
        sequence = layers.AveragePooling2D((3, 1), (block.stride, 1), name=f"{name}_pool_{axis}")(sequence)
    return layers.Conv2D(
        block.expanded, 1, activation="sigmoid", kernel_initializer=kaiming("conv"), name=f"{name}_conv_{axis}"
    )(sequence)


def _normalised(x, name):
    return layers.BatchNormalization(**BATCH_NORM, name=name)(x)


def guess(shapes: Shapes) -> Guess:
    """Settings that fit a state dict.

    Strides and temperature cannot be seen: the strides are those of the published networks, and the temperature is 1,
    that of the end of training.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: No width gives the channels.
    """
    head, classes, hidden = _mobilenet.head_of(shapes)
    sizes = {number: _sizes(shapes, f"layers.{number}") for number in range(len(_mobilenet.BLOCKS))}
    width = _mobilenet.width_of(shapes["in_c.0.weight"][0], sizes, hidden)
    dynamic = "all" if "layers.0.context_gen.joint_conv.weight" in shapes else "replace_se"
    settings = {"width": width, "temperature": 1.0, "strides": list(_mobilenet.STRIDES)}
    return Guess(classes, settings | {"head": head, "dynamic": dynamic})


def _sizes(shapes, prefix):
    """(expanded, channels) of a block."""
    if f"{prefix}.context_gen.joint_conv.weight" not in shapes:
        return block_sizes(shapes, prefix)
    return shapes[f"{prefix}.depth_norm.weight"][0], shapes[f"{prefix}.proj_norm.weight"][0]
