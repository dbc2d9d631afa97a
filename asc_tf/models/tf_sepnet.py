"""TF-SepNet, a network of separate depthwise convolutions over frequency and over time.

Source:  Cai et al., "TF-SepNet: an efficient 1D kernel design in CNNs for low-complexity acoustic scene
         classification", ICASSP 2024; DCASE 2024 (Cai_XJTLU) and, unchanged, DCASE 2025 (Zhou_XJTLU,
         github.com/Azhou0/dcase2025t1).
Input:   (bands, frames, 1) log-mel.   Output: (classes,) logits.
Size:    126,858 parameters, 29,419,648 MACs at 512 x 64: width 64, depth 17, kernel 3.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import keras
from keras import layers

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models._blocks import checked_input, convolved, normalised
from asc_tf.models._res_norm import AdaResNorm, ResNorm
from asc_tf.models._torch_defaults import AxisMean, depthwise, shuffled, uniform, uniform_with_bias
from asc_tf.recipe.registry import Allowed

WHERE = "models/tf_sepnet"
# Factors of the width of the blocks of each stage. A normalisation precedes the first stage and follows each.
STAGES = ((1, 1), (1.5, 1.5), (2, 2), (2.5, 2.5, 2.5))
POOLED_STAGES = {16: 2, 17: 3}  # by depth: stages that a pooling follows
SMALLEST = {16: 13, 17: 29}  # by depth: bands and frames of which the poolings leave one

SIGNATURE = "middle_layers.1.freq_dw_conv._conv.weight"
ASSUMED = ("norm_factor", "dropout")
PUBLISHED_FACTOR = {"resnorm": 0.1, "adaresnorm": 0.5}
PUBLISHED_DROPOUT = 0.1


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: Annotated[int, Allowed(1)],
    depth: Annotated[int, Allowed(1)],
    kernel: int,
    norm_factor: float,
    dropout: Annotated[float, Allowed(0, 1)],
    norm: Literal["resnorm", "adaresnorm"] = "resnorm",
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels), at least 29 x 29, of depth 16 at least 13 x 13.
        classes: Number of classes.
        width: Channels of the first two blocks, a multiple of 4; 64 is published, also 40, 48 and 80.
        depth: 17, or 16 without the last pooling.
        kernel: Length of the depthwise kernels of the blocks, odd; 3 is published.
        norm_factor: Share of the input in a normalisation: lambda of ResNorm, published as 0.1, or the start of
            AdaResNorm's rho, 0.5 in the original's code.
        dropout: Rate inside the blocks, published as 0.1.
        norm: "resnorm", as published, or "adaresnorm", whose share, scale and shift are trained.

    Returns:
        A functional network to (batch, classes) logits, the output of the layer "logits". The embedding is the output
        of the last normalisation, "middle_layers_16" ("middle_layers_15" of depth 16), averaged over bands and frames.

    Raises:
        UserError: A setting is out of range or the input too small.
    """
    _check(checked_input(WHERE, input_shape, classes), width, depth, kernel, norm_factor, dropout)
    inputs = keras.Input(input_shape, name="spectrogram")
    stem = uniform(9 * input_shape[-1])
    x = convolved(inputs, "conv_layers_0__conv", channels=width // 2, kernel=3, stride=2, pad=1, initializer=stem)
    x = normalised(x, "conv_layers_0_")
    x = normalised(depthwise(x, "conv_layers_1__conv", (3, 3), multiplier=4, stride=2), "conv_layers_1_")
    for name, kind, channels in _middle(width, depth):
        if kind == "norm":
            x = (ResNorm if norm == "resnorm" else AdaResNorm)(norm_factor, name=name)(x)
        elif kind == "pool":
            x = layers.MaxPooling2D(2, name=name)(x)
        else:
            x = _block(x, name, channels, kernel, dropout)
    x = layers.Conv2D(classes, 1, **uniform_with_bias(x.shape[-1]), name="classifier_conv")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="logits")(x), name="tf_sepnet")


def _middle(width, depth) -> Iterator[tuple[str, str, int]]:
    """(name, "norm", "pool" or "block", channels) of the original's middle_layers."""
    kinds = [("norm", 0)]
    for number, factors in enumerate(STAGES):
        kinds += [("block", int(factor * width)) for factor in factors] + [("norm", 0)]
        kinds += [("pool", 0)] * (number < POOLED_STAGES[depth])
    return ((f"middle_layers_{index}", *kind) for index, kind in enumerate(kinds))


def _block(x, name, channels, kernel, dropout):
    """Half of the channels convolved over frequency, half over time, each with the mean over that axis added."""
    if x.shape[-1] != channels:
        x = _normalised_pointwise(x, f"{name}_trans_conv", channels)
    x = shuffled(x, f"{name}_shuffle_layer", groups=2)
    half = channels // 2
    branches = [
        _branch(_channels(x, f"{name}_freq", 0, half), f"{name}_freq", (kernel, 1), "frequency", dropout),
        _branch(_channels(x, f"{name}_temp", half, 0), f"{name}_temp", (1, kernel), "time", dropout),
    ]
    return layers.Concatenate(name=name)(branches)


def _branch(x, name, kernel, axis, dropout):
    """Depthwise convolution along an axis, mean over it, 1x1 convolution and dropout, added to x."""
    inner = normalised(depthwise(x, f"{name}_dw_conv__conv", kernel), f"{name}_dw_conv_")
    inner = AxisMean(axis, name=f"{name}_mean")(inner)
    inner = _normalised_pointwise(inner, f"{name}_pw_conv", x.shape[-1])
    inner = layers.Dropout(dropout, name=f"{name}_dropout")(inner)
    return layers.Add(name=f"{name}_add")([x, inner])


def _channels(x, name, before, after):
    """x without its first `before` and last `after` channels."""
    # "channels_first" only means here that the last axis is one of those that are cropped.
    return layers.Cropping2D(((0, 0), (before, after)), data_format="channels_first", name=f"{name}_half")(x)


def _normalised_pointwise(x, name, channels):
    x = convolved(x, f"{name}__conv", channels=channels, initializer=uniform(x.shape[-1]))
    return normalised(x, f"{name}_")


def _check(input_shape, width, depth, kernel, norm_factor, dropout):
    if width < 4 or width % 4:
        raise UserError(
            f"{WHERE}: width = {width}; it must be a multiple of 4: blocks of 1.5 and 2.5 width are halved."
        )
    if depth not in POOLED_STAGES:
        raise UserError(f"{WHERE}: depth = {depth}; it must be 16 or 17.")
    if kernel < 1 or kernel % 2 == 0:
        raise UserError(f"{WHERE}: kernel = {kernel}; it must be odd: 3 is published.")
    if norm_factor < 0 or not 0 <= dropout < 1:
        values = f"norm_factor = {norm_factor}, dropout = {dropout}"
        raise UserError(f"{WHERE}: {values}; norm_factor must be at least 0, and dropout from 0 to below 1.")
    (bands, frames, _), least = input_shape, SMALLEST[depth]
    if min(bands, frames) < least:
        raise UserError(f"{WHERE}: the input has {bands} bands x {frames} frames; both must be at least {least}.")


def guess(shapes: Shapes) -> Guess:
    """Settings of a state dict of TF-SepNet.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        KeyError: A tensor of the network is missing.
    """
    norm = "adaresnorm" if "middle_layers.0._rho" in shapes else "resnorm"
    settings = {
        "width": 2 * shapes["conv_layers.0._conv.weight"][0],
        "depth": 17 if "middle_layers.15.freq_dw_conv._conv.weight" in shapes else 16,
        "kernel": shapes[SIGNATURE][2],
        "norm_factor": PUBLISHED_FACTOR[norm],
        "dropout": PUBLISHED_DROPOUT,
        "norm": norm,
    }
    return Guess(shapes["classifier.conv.weight"][0], settings)
