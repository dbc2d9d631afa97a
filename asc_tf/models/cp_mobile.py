"""CP-Mobile, an inverted-residual network for 1-second scenes.

Source:  Schmid et al., DCASE Workshop 2023 (with GRN); simplified as the DCASE 2024 baseline (without).
Input:   (bands, frames, 1) log-mel.   Output: (classes,) logits.
Size:    61,148 parameters, 29,419,156 MACs at 256 x 65: width 32, growth 1.8, expansion 2.1, no GRN,
         strides 1, 1, (1, 2), (2, 1), 1, 1.
         126,952 parameters, 28,893,268 MACs at 256 x 64: width 32, growth 2.3, expansion 3, GRN,
         strides 1, (2, 2), 1, (2, 1), 1, 1.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from asc_tf.errors import UserError
from asc_tf.models._blocks import (
    GlobalResponseNorm,
    checked_input,
    convolved,
    kaiming,
    make_divisible,
    normalised,
    padded,
)

STAGE_OF_BLOCK = (0, 0, 0, 1, 1, 2)


def build(
    input_shape: Sequence[int],
    classes: int,
    foldable: bool = False,
    *,
    width: int,
    growth: float,
    expansion: float,
    strides: list[list[int]],
    grn: bool,
) -> keras.Model:
    """The network, without softmax.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        foldable: Whether batch norm comes before the subsampling where the two strides of a block differ, so that it
            folds into the convolution, as quantisation needs. Otherwise it comes after, as in the originals. Weights,
            names and outputs (but not the statistics gathered in training) are the same in both forms.
        width: Channels of the stem and the first stage, a multiple of 4.
        growth: Factor of the width from stage to stage.
        expansion: Factor of the width inside a block.
        strides: Six pairs [frequency, time] of 1 or 2, one a block.
        grn: Whether every block has a GlobalResponseNorm.

    Returns:
        A functional network to (batch, classes) logits, the output of the layer "logits".

    Raises:
        UserError: A setting is out of range.
    """
    _check(width, growth, expansion, strides)
    inputs = keras.Input(checked_input("models/cp_mobile", input_shape, classes), name="spectrogram")
    x = normalised(convolved(inputs, "stem1", channels=width // 4, kernel=3, stride=2, pad=1), "stem1")
    x = normalised(convolved(x, "stem2", channels=width, kernel=3, stride=2, pad=1), "stem2")
    widths = [make_divisible(width * growth**stage) for stage in STAGE_OF_BLOCK]
    for number, (channels, stride) in enumerate(zip(widths, strides, strict=True), start=1):
        hidden = make_divisible(x.shape[-1] * expansion)
        x = _block(x, f"b{number}", hidden, channels, tuple(stride), grn, foldable)
    x = normalised(convolved(x, "head", channels=classes), "head", relu=False)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="logits")(x), name="cp_mobile")


def _block(x, name, hidden, channels, stride, grn, foldable):
    """Expansion, depthwise convolution, projection; added to the shortcut where the width stays."""
    inner = normalised(convolved(x, f"{name}_expand", channels=hidden), f"{name}_expand")
    inner = _depthwise(inner, f"{name}_depthwise", stride, foldable)
    inner = normalised(convolved(inner, f"{name}_project", channels=channels), f"{name}_project", relu=False)
    if x.shape[-1] == channels:
        inner = layers.Add(name=f"{name}_add")([inner, _shortcut(x, f"{name}_shortcut", stride)])
    if grn:
        inner = GlobalResponseNorm(name=f"{name}_grn")(inner)
    return layers.ReLU(name=f"{name}_relu")(inner)


def _depthwise(x, name, stride, foldable):
    """3x3 depthwise convolution, batch norm, ReLU."""
    # TensorFlow's CPU kernel refuses unequal strides: stride 1 and an exact subsampling do the same.
    native = stride if stride[0] == stride[1] else (1, 1)
    # At stride 1 "same" pads as PyTorch does. The foldable form pads by a layer, so that the TFLite file can stride.
    same = native == (1, 1) and (native == stride or not foldable)
    depthwise = layers.DepthwiseConv2D(
        3,
        strides=native,
        padding="same" if same else "valid",
        use_bias=False,
        depthwise_initializer=kaiming("depthwise"),
        name=name,
    )
    x = depthwise(x if same else padded(x, name, pad=1))
    if native == stride:
        return normalised(x, name)
    subsampled = layers.MaxPooling2D(1, strides=stride, name=f"{name}_stride")
    return subsampled(normalised(x, name)) if foldable else normalised(subsampled(x), name)


def _shortcut(x, name, stride):
    if stride == (1, 1):
        return x
    # The originals' average counts the padded zeros: "same" would leave them out.
    return layers.AveragePooling2D(3, strides=stride, name=name)(padded(x, name, pad=1))


def _check(width, growth, expansion, strides):
    where = "models/cp_mobile"
    if width < 4 or width % 4:
        raise UserError(f"{where}: width = {width}; it must be a multiple of 4: the stem starts with a quarter.")
    if growth <= 0 or expansion <= 0:
        raise UserError(f"{where}: growth = {growth}, expansion = {expansion}; both must be above 0.")
    pairs = [list(pair) for pair in strides if len(pair) == 2 and all(step in (1, 2) for step in pair)]
    if len(pairs) != len(STAGE_OF_BLOCK) or len(strides) != len(STAGE_OF_BLOCK):
        raise UserError(f"{where}: strides = {strides}; it must be six pairs [frequency, time] of 1 or 2.")


def torch_name(layer: str, **_: Any) -> str:
    """Name of a layer's module in the PyTorch original: "stages.s2.b4.block.0.1" for "b4_expand_bn".

    Args:
        layer: Name of the layer.
        **_: Settings of `build`, on which the names do not depend.
    """
    stem, position = layer.removesuffix("_bn"), int(layer.endswith("_bn"))
    if stem == "head":
        return f"feed_forward.{position}"
    if stem.startswith("stem"):
        return f"in_c.{int(stem[-1]) - 1}.{position}"
    block, _, part = stem.partition("_")
    prefix = f"stages.s{STAGE_OF_BLOCK[int(block[1]) - 1] + 1}.{block}"
    if part == "grn":
        return f"{prefix}.after_block_norm"
    return f"{prefix}.block.{('expand', 'depthwise', 'project').index(part)}.{position}"
