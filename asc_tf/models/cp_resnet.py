"""CP-ResNet, a residual network of limited receptive field, small as a student or large as a teacher.

Source:  Koutini et al., "Receptive field regularization techniques", 2021; small: the 128K network of CP-JKU's
         DCASE 2022 and 2023 submissions (github.com/fschmid56/cpjku_dcase23); large: the network of Morocutti
         et al., "Device-robust acoustic scene classification", 2023 (github.com/theMoro/DIRAugmentation).
Input:   (bands, frames, 1) log-mel.   Output: (classes,) logits, all 0 before the first step.
Size:    127,684 parameters, 28,840,396 MACs at 256 x 44, small, width 32, rho 8.
         3,956,628 parameters at any input, large, width 128, rho 7.
"""

import typing
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import keras
from keras import layers

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models._blocks import checked_input, convolved, normalised
from asc_tf.recipe.registry import Allowed

NEVER = 99  # a rho beyond all

# A key that every state dict of the family has; there is no setting that shapes do not show.
SIGNATURE = "stage1.block1.conv1.weight"
ASSUMED = ()


class Topology(typing.NamedTuple):
    """The differences of the two published networks.

    Args:
        wide_from: Smallest rho at which a kernel is 3 wide instead of 1: (first, second) kernel of each block of each
            of three stages.
        left_out: Channels by which the last stage has fewer than 4 times the width of the first.
        groups: Groups of the convolutions of the second stage.
        stem_pool: Whether the stem ends in a pooling.
        pooled: Numbers of the blocks after which the bands are halved, from 1.
        smallest: (bands, frames) of the smallest input of which the poolings leave anything.
    """

    wide_from: tuple[tuple[tuple[int, int], ...], ...]
    left_out: int
    groups: int
    stem_pool: bool
    pooled: tuple[int, ...]
    smallest: tuple[int, int]


TOPOLOGIES = {
    # With 36 channels less the network is within the limit of the challenge.
    "small": Topology((((1, NEVER), (2, 3)), ((4, 5),), ((8, 9),)), 36, 2, True, (1, 2), (17, 5)),
    "large": Topology(
        (
            ((1, NEVER), (1, 2), (3, 4), (5, 6)),
            ((7, 8), (9, 10), (11, 12), (13, 14)),
            ((15, 16), (17, 18), (19, 20), (21, 22)),
        ),
        0, 1, False, (1,), (5, 3),
    ),
}  # fmt: skip


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: Annotated[int, Allowed(1)],
    rho: int,
    size: Literal["small", "large"] = "small",
    left_out: int | None = None,
) -> keras.Model:
    """The network, without softmax.

    Args:
        input_shape: (bands, frames, channels), at least 17 x 5, large 5 x 3.
        classes: Number of classes.
        width: Channels of the stem, an even number. The stages have width, 2 width and 4 width - left_out channels.
        rho: Size of the receptive field, which decides the kernels that are 3 wide. Small: 1 to 9, where 4, 5 to 7
            (one network) and 8 are published; large: 1 to 22, published with width 128 and rho 7.
        size: "small" (4 blocks, the second stage in 2 groups) or "large" (12 blocks).
        left_out: Channels by which the last stage has fewer than 4 width; by default 36 in the small network, 0 in the
            large one.

    Returns:
        A functional network to (batch, classes) logits, the output of the layer "logits".

    Raises:
        UserError: A setting is out of range or the input too small.
    """
    topology = TOPOLOGIES[size]
    topology = topology if left_out is None else topology._replace(left_out=left_out)
    _check(checked_input("models/cp_resnet", input_shape, classes), width, rho, topology)
    inputs = keras.Input(input_shape, name="spectrogram")
    # A 5 x 5 kernel with padding 1, as published: 256 bands give 127, not 128.
    x = convolved(inputs, "stem", channels=width, kernel=5, stride=2, pad=1, initializer=_normal("fan_in"))
    x = normalised(x, "stem")
    x = layers.MaxPooling2D(2, name="stem_pool")(x) if topology.stem_pool else x
    plan = _blocks(topology, width)
    for number, (channels, groups, wide_from) in enumerate(plan, start=1):
        kernels = [3 if rho >= start else 1 for start in wide_from]
        x = _block(x, f"b{number}", channels, kernels, groups, blocks=len(plan))
        x = layers.MaxPooling2D((2, 1), name=f"b{number}_pool")(x) if number in topology.pooled else x
    x = normalised(convolved(x, "head", channels=classes, initializer="zeros"), "head", relu=False)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="logits")(x), name="cp_resnet")


def _blocks(topology, width):
    """[(channels, groups, wide_from), ...] of all blocks in order."""
    widths, groups = (width, 2 * width, 4 * width - topology.left_out), (1, topology.groups, 1)
    stages = zip(widths, groups, topology.wide_from, strict=True)
    return [(channels, group, block) for channels, group, stage in stages for block in stage]


def _block(x, name, channels, kernels, groups, *, blocks):
    """Two convolutions and a shortcut, added, then ReLU; before training it equals its shortcut ("fixup")."""
    first = _normal("fan_out", scale=2.0 / blocks)
    inner = normalised(_convolved(x, f"{name}_conv1", channels, kernels[0], groups, first), f"{name}_conv1")
    inner = _convolved(inner, f"{name}_conv2", channels, kernels[1], groups, "zeros")
    shortcut = x
    if x.shape[-1] != channels:
        shortcut = _convolved(x, f"{name}_shortcut", channels, 1, groups, _normal("fan_out"))
        shortcut = normalised(shortcut, f"{name}_shortcut", relu=False)
    inner = layers.Add(name=f"{name}_add")([normalised(inner, f"{name}_conv2", relu=False), shortcut])
    return layers.ReLU(name=f"{name}_relu")(inner)


def _convolved(x, name, channels, kernel, groups, initializer):
    return convolved(x, name, channels=channels, kernel=kernel, pad=kernel // 3, groups=groups, initializer=initializer)


def _normal(mode, scale=2.0):
    return keras.initializers.VarianceScaling(scale, mode, "untruncated_normal")


def _check(input_shape, width, rho, topology):
    where, left_out, largest_rho = "models/cp_resnet", topology.left_out, topology.wide_from[-1][-1][-1]
    if left_out < 0:
        raise UserError(f"{where}: left_out = {left_out}; it must be 0 or more channels.")
    if width < 2 or width % 2 or 4 * width <= left_out:
        rule = f"it must be even and from {left_out // 4 + 1}: the last stage has 4 width - {left_out} channels"
        raise UserError(f"{where}: width = {width}; {rule}.")
    if not 1 <= rho <= largest_rho:
        raise UserError(f"{where}: rho = {rho}; it must be 1 to {largest_rho}.")
    if input_shape[0] < topology.smallest[0] or input_shape[1] < topology.smallest[1]:
        size, least = (f"{bands} bands x {frames} frames" for bands, frames in (input_shape[:2], topology.smallest))
        raise UserError(f"{where}: the input has {size}; the poolings need {least}.")


def torch_name(layer: str, *, size: Literal["small", "large"] = "small", **_: Any) -> str:
    """Name of a layer's module in the PyTorch original: "stage2.block1.shortcut.bn" for "b3_shortcut_bn".

    Args:
        layer: Name of the layer.
        size: As for `build`.
        **_: Other settings of `build`, on which the names do not depend.
    """
    stem, normalisation = layer.removesuffix("_bn"), layer.endswith("_bn")
    if stem in ("stem", "head"):
        return f"{'in_c' if stem == 'stem' else 'feed_forward'}.{int(normalisation)}"
    block, part = stem.split("_")
    stages = enumerate(TOPOLOGIES[size].wide_from, start=1)
    modules = [f"stage{stage}.block{number + 1}" for stage, blocks in stages for number in range(len(blocks))]
    prefix = modules[int(block[1:]) - 1]
    if part == "shortcut":
        return f"{prefix}.shortcut.{'bn' if normalisation else 'conv'}"
    return f"{prefix}.{part.replace('conv', 'bn') if normalisation else part}"


def guess(shapes: Shapes) -> Guess:
    """Settings that fit a state dict; of several values of rho that give the same kernels, the smallest.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: The stages or the kernels are those of neither network.
    """
    width, number = shapes["in_c.0.weight"][0], sum(key.endswith(".conv1.weight") for key in shapes)
    for size, topology in TOPOLOGIES.items():
        starts = [start for stage in topology.wide_from for block in stage for start in block]
        if 2 * number == len(starts):
            kernels = [shapes[f"{torch_name(layer, size=size)}.weight"][-1] for layer in _convolutions(number)]
            settings = {"width": width, "rho": _rho(starts, kernels), "size": size}
            left_out = 4 * width - shapes["stage3.block1.conv1.weight"][0]
            return Guess(shapes["feed_forward.0.weight"][0], settings | {"left_out": left_out})
    raise ValueError(f"{number} blocks are neither those of the small nor of the large network")


def _convolutions(blocks):
    return [f"b{number + 1}_conv{part}" for number in range(blocks) for part in (1, 2)]


def _rho(starts, kernels):
    """The smallest rho that gives the kernels' widths, where each is 3 from a rho on."""
    for rho in range(1, max(start for start in starts if start < NEVER) + 1):
        if [3 if rho >= start else 1 for start in starts] == list(kernels):
            return rho
    raise ValueError(f"no receptive field has kernels of {kernels}")
