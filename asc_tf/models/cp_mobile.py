"""CP-Mobile, an inverted-residual network for 1-second scenes.

Source:  Schmid et al., DCASE Workshop 2023 (with GRN); simplified as the DCASE 2024 baseline (without).
Input:   (bands, frames, 1) log-mel.   Output: (classes,) logits.
Size:    61,148 parameters, 29,419,156 MACs at 256 x 65: width 32, growth 1.8, expansion 2.1, no GRN,
         strides 1, 1, (1, 2), (2, 1), 1, 1.
         126,952 parameters, 28,893,268 MACs at 256 x 64: width 32, growth 2.3, expansion 3, GRN,
         strides 1, (2, 2), 1, (2, 1), 1, 1.
"""

import itertools
from collections.abc import Sequence
from typing import Annotated, Any

import keras
from keras import layers

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models._blocks import (
    GlobalResponseNorm,
    checked_input,
    convolved,
    depthwise,
    kaiming,
    make_divisible,
    normalised,
    padded,
    plainest_factor,
)
from asc_tf.recipe.registry import Allowed

BLOCKS = (3, 2, 1)  # of each stage

# A key that every state dict of the family has; settings that shapes do not show.
SIGNATURE = "stages.s1.b1.block.0.0.weight"
ASSUMED = ("strides",)
# Published factors, and the published strides of the blocks by their number, without and with GRN.
GROWTHS, EXPANSIONS = (1.8, 2.3), (1.9, 2.1, 3.0)
STRIDES = {False: {3: [1, 2], 4: [2, 1]}, True: {2: [2, 2], 4: [2, 1]}}


def build(
    input_shape: Sequence[int],
    classes: int,
    foldable: bool = False,
    *,
    width: Annotated[int, Allowed(1)],
    growth: float,
    expansion: float,
    strides: list[list[int]],
    grn: bool,
    blocks: list[int] = BLOCKS,
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
        strides: Pairs [frequency, time] of 1 or 2, one a block.
        grn: Whether every block has a GlobalResponseNorm.
        blocks: Number of blocks of each stage.

    Returns:
        A functional network to (batch, classes) logits, the output of the layer "logits".

    Raises:
        UserError: A setting is out of range.
    """
    _check(width, growth, expansion, strides, blocks)
    inputs = keras.Input(checked_input("models/cp_mobile", input_shape, classes), name="spectrogram")
    x = normalised(convolved(inputs, "stem1", channels=width // 4, kernel=3, stride=2, pad=1), "stem1")
    x = normalised(convolved(x, "stem2", channels=width, kernel=3, stride=2, pad=1), "stem2")
    widths = [make_divisible(width * growth**stage) for stage in stage_of_block(blocks)]
    for number, (channels, stride) in enumerate(zip(widths, strides, strict=True), start=1):
        hidden = make_divisible(x.shape[-1] * expansion)
        x = _block(x, f"b{number}", hidden, channels, tuple(stride), grn, foldable)
    x = normalised(convolved(x, "head", channels=classes), "head", relu=False)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="logits")(x), name="cp_mobile")


def _block(x, name, hidden, channels, stride, grn, foldable):
    """Expansion, depthwise convolution, projection; added to the shortcut where the width stays."""
    inner = normalised(convolved(x, f"{name}_expand", channels=hidden), f"{name}_expand")
    inner = depthwise(
        inner,
        f"{name}_depthwise",
        stride,
        lambda y: normalised(y, f"{name}_depthwise"),
        foldable=foldable,
        initializer=kaiming("depthwise"),
    )
    inner = normalised(convolved(inner, f"{name}_project", channels=channels), f"{name}_project", relu=False)
    if x.shape[-1] == channels:
        inner = layers.Add(name=f"{name}_add")([inner, _shortcut(x, f"{name}_shortcut", stride)])
    if grn:
        inner = GlobalResponseNorm(name=f"{name}_grn")(inner)
    return layers.ReLU(name=f"{name}_relu")(inner)


def _shortcut(x, name, stride):
    if stride == (1, 1):
        return x
    # The originals' average counts the padded zeros: "same" would leave them out.
    return layers.AveragePooling2D(3, strides=stride, name=name)(padded(x, name, pad=1))


def _check(width, growth, expansion, strides, blocks):
    where = "models/cp_mobile"
    if width < 4 or width % 4:
        raise UserError(f"{where}: width = {width}; it must be a multiple of 4: the stem starts with a quarter.")
    if growth <= 0 or expansion <= 0:
        raise UserError(f"{where}: growth = {growth}, expansion = {expansion}; both must be above 0.")
    pairs = [list(pair) for pair in strides if len(pair) == 2 and all(step in (1, 2) for step in pair)]
    if not blocks or min(blocks) < 1:
        raise UserError(f"{where}: blocks = {list(blocks)}; it must be a number from 1 for each stage: [3, 2, 1].")
    if len(pairs) != sum(blocks) or len(strides) != sum(blocks):
        rule = f"it must be {sum(blocks)} pairs [frequency, time] of 1 or 2, one a block"
        raise UserError(f"{where}: strides = {strides}; {rule}.")


def stage_of_block(blocks: Sequence[int]) -> list[int]:
    """Number of each block's stage, from 0.

    Args:
        blocks: Number of blocks of each stage.
    """
    return [stage for stage, number in enumerate(blocks) for _ in range(number)]


def torch_name(layer: str, *, blocks: Sequence[int] = BLOCKS, **_: Any) -> str:
    """Name of a layer's module in the PyTorch original: "stages.s2.b4.block.0.1" for "b4_expand_bn".

    Args:
        layer: Name of the layer.
        blocks: As for `build`.
        **_: Other settings of `build`, on which the names do not depend.
    """
    stem, position = layer.removesuffix("_bn"), int(layer.endswith("_bn"))
    if stem == "head":
        return f"feed_forward.{position}"
    if stem.startswith("stem"):
        return f"in_c.{int(stem[-1]) - 1}.{position}"
    block, part = stem.split("_")
    prefix = f"stages.s{stage_of_block(blocks)[int(block[1:]) - 1] + 1}.{block}"
    if part == "grn":
        return f"{prefix}.after_block_norm"
    return f"{prefix}.block.{('expand', 'depthwise', 'project').index(part)}.{position}"


def guess(shapes: Shapes) -> Guess:
    """Settings that fit a state dict; growth and expansion are the plainest numbers that give its channels.

    Strides cannot be seen. They are those of the published network with the same `grn`, by the number of the block, as
    in the originals' code: without GRN block 3 has [1, 2], with it block 2 [2, 2]; block 4 has [2, 1], others [1, 1].

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: No growth or expansion gives the channels.
    """
    blocks, modules = _blocks_of(shapes)
    inner, outer = ([shapes[f"{module}.block.{part}.0.weight"] for module in modules] for part in (0, 2))
    width, grn = shapes["in_c.1.0.weight"][0], f"{modules[0]}.after_block_norm.gamma" in shapes
    growth = plainest_factor(
        lambda factor: [make_divisible(width * factor**stage) for stage in stage_of_block(blocks)],
        [shape[0] for shape in outer],
        GROWTHS,
    )
    expansion = plainest_factor(
        lambda factor: [make_divisible(shape[1] * factor) for shape in inner], [shape[0] for shape in inner], EXPANSIONS
    )
    settings = {"width": width, "growth": growth, "expansion": expansion, "grn": grn, "blocks": blocks}
    strides = [STRIDES[grn].get(number, [1, 1]) for number in range(1, len(modules) + 1)]
    return Guess(shapes["feed_forward.0.weight"][0], settings | {"strides": strides})


def _blocks_of(shapes):
    """Number of blocks of each stage, and the prefixes of the blocks' keys."""
    blocks, modules = [], []
    while f"stages.s{len(blocks) + 1}.b{len(modules) + 1}.block.0.0.weight" in shapes:
        prefix, first = f"stages.s{len(blocks) + 1}.b", len(modules) + 1
        number = next(n for n in itertools.count(1) if f"{prefix}{first + n}.block.0.0.weight" not in shapes)
        blocks.append(number)
        modules += [f"{prefix}{first + index}" for index in range(number)]
    return blocks, modules
