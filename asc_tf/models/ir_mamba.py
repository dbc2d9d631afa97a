"""IRMamba, inverted residual blocks and parallel Mamba blocks (PMB).

Source:  A submission to the DCASE challenge whose report gives the shapes of one network and three pairs of
         parameters and MACs; the rest follows the network that it cites, Wu et al., "UltraLight VM-UNet", 2024, or is
         our choice. Widths of the last block are chosen to meet the parameters reported of S1 and S3.
Input:   (bands, frames, channels) log-mel.   Output: (classes,) logits.
Size:    at 256 x 64, stem 8, 32, first blocks [48, 64], [48, 96]:
         S1: 107,460 parameters, 16,794,636 MACs (reported: 107.46 K, 16.9 M): PMBs [48, 2], [64, 2], [72, 2],
         pools 2, 2, 2, last block [128, 155].
         S2: 121,510 parameters, 17,369,580 MACs (121.9 K, 17.3 M): PMBs [48, 2], [48, 3], [48, 4], [64, 4], [72, 4],
         pools 2, 1, 2, 1, 2, last block [128, 155].
         S3: 126,432 parameters, 16,994,656 MACs (126.41 K, 16.8 M): PMBs [48, 1], [64, 48], [72, 64], [96, 72],
         pools 2, 2, 2, 1, last block [128, 202].
"""

import itertools
from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models._blocks import checked_input, convolved, depthwise, kaiming, normalised
from asc_tf.models._mamba import PARENT_STD, ParallelMamba

WHERE = "models/ir_mamba"
GROUPS = 4  # of the group norm after a PMB
STRIDES = ((1, 1), (2, 1), (1, 1))  # of the inverted residual blocks
SIGNATURE = "pmb1.mamba.A_log"
ASSUMED = ("pools", "pmb_activation", "mamba_init", "chunk")
# Pools of S1, S3 and S2, by the number of PMBs.
POOLS = {3: [2, 2, 2], 4: [2, 2, 2, 1], 5: [2, 1, 2, 1, 2]}


def build(
    input_shape: Sequence[int],
    classes: int,
    foldable: bool = False,
    *,
    stem: list[int],
    blocks: list[list[int]],
    pmbs: list[list[int]],
    pools: list[int],
    share_mamba: bool = False,
    d_state: int = 16,
    d_conv: int = 4,
    expand: int = 2,
    mamba_init: Literal["mamba", "parent"] = "mamba",
    pmb_activation: Literal["gelu", "none"] = "gelu",
    chunk: int = 0,
) -> keras.Model:
    """The network, without softmax.

    A state dict of a PyTorch twin has the keys stem{1,2}.{conv,bn}, ir{1,2,3}.{expand,depthwise,project}.{conv,bn},
    head, and for each PMB, numbered from 1, pmb{i}.{norm,proj,group_norm}, pmb{i}.skip_scale and pmb{i}.mamba.{in_proj,
    conv1d,x_proj,dt_proj,A_log,D,out_proj}. Tensors of Mamba have an axis of branches before those of the library's
    Mamba, unless `share_mamba`.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        foldable: Whether batch norm comes before the subsampling where the two strides of a block differ, so that it
            folds into the convolution, as quantisation needs; see cp_mobile.
        stem: Channels after the two depthwise convolutions, multiples of the input's and of the first.
        blocks: [channels, channels inside] of the three inverted residual blocks, the last after the PMBs.
        pmbs: [channels, branches] of every PMB; the branches divide the channels before it.
        pools: 2 for each PMB that max-pooling halves both axes after, 1 for the others.
        share_mamba: Whether the branches of a PMB share one Mamba, as in UltraLight VM-UNet.
        d_state: Size of the state of a channel.
        d_conv: Length of Mamba's causal convolution.
        expand: Factor of the channels inside Mamba.
        mamba_init: Initialisation of Mamba's own weights: "mamba" as its authors', or "parent" as in UltraLight
            VM-UNet, which overwrites it.
        pmb_activation: "gelu" after each PMB and its pooling, or "none".
        chunk: Number of tokens in a chunk of the scan; 0 for the square root of half the tokens of a PMB. Twice
            as many steps and one a chunk are computed one after the other.

    Returns:
        A functional network to (batch, classes) logits, the output of the layer "logits". The embedding is the output
        of the layer "ir3_project_bn", (batch, bands, frames, channels).

    Raises:
        UserError: A setting is out of range, or the input too small for the poolings.
    """
    shape = checked_input(WHERE, input_shape, classes)
    _check(shape, stem, blocks, pmbs, pools, dict(d_state=d_state, d_conv=d_conv, expand=expand), chunk)
    inputs = keras.Input(shape, name="spectrogram")
    x = inputs
    for number, channels in enumerate(stem, start=1):
        x = _depthwise(x, f"stem{number}", (2, 2), foldable, multiplier=channels // x.shape[-1])
    for number in (1, 2):
        x = _inverted_residual(x, number, blocks[number - 1], foldable)
    for number, ((channels, branches), pool) in enumerate(zip(pmbs, pools, strict=True), start=1):
        name = f"pmb{number}"
        x = ParallelMamba(
            branches=branches,
            share=share_mamba,
            states=d_state,
            taps=d_conv,
            expand=expand,
            init=mamba_init,
            chunk=chunk,
            name=name,
        )(x)
        x = _after_mamba(x, name, channels, pool, pmb_activation)
    x = _inverted_residual(x, 3, blocks[2], foldable)
    x = layers.Conv2D(classes, 1, kernel_initializer=kaiming("conv"), name="head")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="logits")(x), name="ir_mamba")


def _after_mamba(x, name, channels, pool, activation):
    """Dense layer, group norm, max-pooling, activation, in the order of UltraLight VM-UNet."""
    normal = keras.initializers.RandomNormal(stddev=PARENT_STD)
    x = layers.Dense(channels, kernel_initializer=normal, name=f"{name}_proj")(x)
    x = layers.GroupNormalization(GROUPS, epsilon=1e-5, dtype="float32", name=f"{name}_group_norm")(x)
    if pool == 2:
        x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    return layers.Activation("gelu", name=f"{name}_gelu")(x) if activation == "gelu" else x


def _inverted_residual(x, number, widths, foldable):
    """1x1 convolution, depthwise convolution, 1x1 convolution; added to the input where the shape stays."""
    (channels, hidden), name, stride = widths, f"ir{number}", STRIDES[number - 1]
    inner = normalised(convolved(x, f"{name}_expand_conv", channels=hidden), f"{name}_expand", relu=False)
    inner = layers.ReLU(6.0, name=f"{name}_expand_relu")(inner)
    inner = _depthwise(inner, f"{name}_depthwise", stride, foldable)
    inner = normalised(convolved(inner, f"{name}_project_conv", channels=channels), f"{name}_project", relu=False)
    return layers.Add(name=f"{name}_add")([inner, x]) if inner.shape == x.shape else inner


def _depthwise(x, name, stride, foldable, multiplier=1):
    """3x3 depthwise convolution, batch norm, ReLU6."""

    def normalise(y):
        return layers.ReLU(6.0, name=f"{name}_relu")(normalised(y, name, relu=False))

    return depthwise(
        x,
        name,
        stride,
        normalise,
        foldable=foldable,
        initializer=kaiming("conv"),
        multiplier=multiplier,
        convolution=f"{name}_conv",
    )


def _check(shape, stem, blocks, pmbs, pools, sizes, chunk):
    if len(stem) != 2 or min(stem) < 1 or stem[0] % shape[-1] or stem[1] % stem[0]:
        rule = f"two multiples, the first of the input's {shape[-1]} channels, the second of the first"
        raise UserError(f"{WHERE}: stem = {stem}; it must be {rule}.")
    if len(blocks) != len(STRIDES) or any(len(pair) != 2 or min(pair) < 1 for pair in blocks):
        raise UserError(f"{WHERE}: blocks = {blocks}; it must be three pairs [channels, channels inside], all above 0.")
    if not pmbs or any(len(pair) != 2 or min(pair) < 1 for pair in pmbs):
        raise UserError(f"{WHERE}: pmbs = {pmbs}; it must be pairs [channels, branches], at least one.")
    for before, (channels, branches) in zip([blocks[1], *pmbs], pmbs, strict=False):
        if channels % GROUPS or before[0] % branches:
            rule = f"its channels must be a multiple of {GROUPS} and its branches divide {before[0]}, those before it"
            raise UserError(f"{WHERE}: pmbs = {pmbs}: {[channels, branches]}; {rule}.")
    if len(pools) != len(pmbs) or any(pool not in (1, 2) for pool in pools):
        raise UserError(f"{WHERE}: pools = {pools}; it must be 1 or 2 for each of the {len(pmbs)} PMBs.")
    for name, value in sizes.items():
        if value < 1:
            raise UserError(f"{WHERE}: {name} = {value}; it must be at least 1.")
    if chunk < 0:
        raise UserError(f"{WHERE}: chunk = {chunk}; it must be at least 0.")
    least = 2 ** pools.count(2)
    bands, frames = 8 * (least - 1) + 1, 4 * (least - 1) + 1
    if shape[0] < bands or shape[1] < frames:
        raise UserError(f"{WHERE}: the input is {shape}; for pools = {pools} it must be at least {bands} x {frames}.")


def guess(shapes: Shapes) -> Guess:
    """Classes and settings of a state dict, by the keys in the docstring of `build`.

    Args:
        shapes: Shape of every tensor.

    Returns:
        Classes and settings. With as many PMBs as S1, S2 or S3, pools are those; with others every PMB has one.

    Raises:
        KeyError: A key is missing.
        ValueError: A tensor has a wrong number of axes.
    """
    numbers = itertools.takewhile(lambda number: f"pmb{number}.mamba.A_log" in shapes, itertools.count(1))
    modules = [_settings_of(shapes, f"pmb{number}") for number in numbers]
    if not modules:
        raise KeyError(SIGNATURE)
    blocks = [[shapes[f"ir{n}.{part}.conv.weight"][0] for part in ("project", "expand")] for n in (1, 2, 3)]
    return Guess(
        shapes["head.weight"][0],
        {
            "stem": [shapes[f"stem{number}.conv.weight"][0] for number in (1, 2)],
            "blocks": blocks,
            "pmbs": [pair for pair, _ in modules],
            "pools": POOLS.get(len(modules), [2] * len(modules)),
            "mamba_init": "mamba",
            "pmb_activation": "gelu",
            "chunk": 0,
            **modules[0][1],
        },
    )


def _settings_of(shapes, name):
    """[channels, branches] of a PMB, and the settings that all PMBs share."""
    mamba = {part: shapes[f"{name}.mamba.{part}"] for part in ("A_log", "conv1d.weight", "out_proj.weight")}
    *stack, inner, states = mamba["A_log"]
    width = mamba["out_proj.weight"][-2]
    settings = {"share_mamba": not stack, "d_state": states, "d_conv": mamba["conv1d.weight"][-1]}
    pair = [shapes[f"{name}.proj.weight"][0], shapes[f"{name}.norm.weight"][0] // width]
    return pair, settings | {"expand": inner // width}
