"""ConvNeXt, a convolutional network of large depthwise kernels, layer norms and dense layers.

Source:  Liu et al., "A ConvNet for the 2020s", CVPR 2022 (github.com/facebookresearch/ConvNeXt); for AudioSet:
         Pellegrini et al., "Adapting a ConvNeXt model to audio classification on AudioSet", Interspeech 2023
         (github.com/topel/audioset-convnext-inf).
Input:   (bands, frames, channels), at least 32 x 32 with four stages.   Output: (classes,) logits.
Size:    10 classes, one channel: tiny, depths 3, 3, 9, 3, dims 96, 192, 384, 768: 27,824,746 parameters;
         small, depths 3, 3, 27, 3: 49,459,306; base, with dims 128, 256, 512, 1024: 87,572,618.
Equal:   to timm 1.0 in single precision, tiny and the variant for AudioSet: 7e-6 of the logits' spread from its results
         in double precision, as its own in single (benchmarks/equal_to_torch.py).
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import keras
from keras import layers

from asc_tf.checkpoints.guess import Guess, Shapes, count
from asc_tf.errors import UserError
from asc_tf.models import _blocks, _fast_layers, _transformer
from asc_tf.models._transformer import EXPANSION, dense, norm, normal
from asc_tf.models._transformer_layers import BranchScale
from asc_tf.recipe.registry import Allowed

STEM = 4  # height, width and stride of the first convolution's kernel
KERNEL = 7
LAYER_SCALE = 1e-6

# A key that every state dict of the family has; settings that shapes do not show.
SIGNATURE = "downsample_layers.0.0.weight"
ASSUMED = ("drop_path", "stem_padding", "time_first", "pooling")
# The published weights for AudioSet; they have bn0.
AUDIOSET = {"stem_padding": 4, "time_first": True, "pooling": "max_mean"}
IMAGENET = {"stem_padding": 0, "time_first": False, "pooling": "mean"}


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    depths: Annotated[list[int], Allowed(1)],
    dims: Annotated[list[int], Allowed(1)],
    drop_path: Annotated[float, Allowed(0, 1)],
    bn0: bool = False,
    stem_padding: int = 0,
    time_first: bool = False,
    pooling: Literal["mean", "max_mean"] = "mean",
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    The published network for AudioSet, convnext_tiny_471mAP, takes 224 mel bands and has `bn0`, a `stem_padding` of 4,
    `time_first` and the pooling "max_mean".

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        depths: Number of blocks of each stage.
        dims: Channels of each stage.
        drop_path: Rate at which the last block is left out of a clip's training step, 0 to below 1; it rises linearly
            from 0 at the first block.
        bn0: Whether batch norm of every band comes first; the last layer is then named "head_audioset".
        stem_padding: Number of zeros at both ends of the frames before the first convolution.
        time_first: Whether the kernels' first axis is time. Bands and frames change places after `bn0`, so that
            kernels of an original whose input is time x frequency are used as they are.
        pooling: "mean" over both axes, or "max_mean", the mean over the bands and then maximum plus mean over the
            frames.

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, dims[-1]) is the output of the layer
        "norm".

    Raises:
        UserError: A setting is out of range or the input too small.
    """
    shape = _blocks.checked_input("models/convnext", input_shape, classes)
    _check(shape, depths, dims, drop_path, stem_padding)
    inputs = x = keras.Input(shape, name="spectrogram")
    if bn0:
        x = _fast_layers.BatchNormalization(axis=1, **_blocks.BATCH_NORM, name="bn0")(x)
    x = layers.ZeroPadding2D((0, stem_padding), name="pad")(x) if stem_padding else x
    x = layers.Permute((2, 1, 3), name="turn")(x) if time_first else x
    rates = iter(_transformer.drop_paths(drop_path, sum(depths)))
    for stage, (depth, channels) in enumerate(zip(depths, dims, strict=True)):
        x = _downsampled(x, f"downsample_layers_{stage}", channels, is_stem=stage == 0)
        for number in range(depth):
            x = _block(x, f"stages_{stage}_{number}", channels, next(rates))
    x = norm(_pooled(x, pooling, bands_axis=2 if time_first else 1), "norm")
    return keras.Model(inputs, dense(x, "head_audioset" if bn0 else "head", classes), name="convnext")


def _downsampled(x, name, channels, *, is_stem):
    """Convolution and layer norm, in the stages after the first in the other order."""
    if is_stem:
        x = layers.Conv2D(channels, STEM, strides=STEM, kernel_initializer=normal(), name=f"{name}_0")(x)
        return norm(x, f"{name}_1")
    x = norm(x, f"{name}_0")
    return layers.Conv2D(channels, 2, strides=2, kernel_initializer=normal(), name=f"{name}_1")(x)


def _block(x, name, channels, rate):
    """Depthwise convolution, two dense layers with GELU, scale of every channel, and the shortcut."""
    inner = layers.DepthwiseConv2D(KERNEL, padding="same", depthwise_initializer=normal(), name=f"{name}_dwconv")(x)
    inner = norm(inner, f"{name}_norm")
    inner = dense(inner, f"{name}_pwconv1", EXPANSION * channels)
    inner = layers.Activation("gelu", name=f"{name}_act")(inner)
    inner = dense(inner, f"{name}_pwconv2", channels)
    inner = BranchScale(LAYER_SCALE, name=name)(inner)
    return layers.Add(name=f"{name}_add")([x, _blocks.dropped(inner, f"{name}_drop_path", rate)])


def _pooled(x, pooling, *, bands_axis):
    """(batch, channels)."""
    if pooling == "mean":
        return layers.GlobalAveragePooling2D(name="mean")(x)
    bands = tuple(x.shape[axis] if axis == bands_axis else 1 for axis in (1, 2))
    x = layers.AveragePooling2D(bands, name="mean_of_bands")(x)
    pooled = [layers.GlobalMaxPooling2D(name="max")(x), layers.GlobalAveragePooling2D(name="mean")(x)]
    return layers.Add(name="max_mean")(pooled)


def _check(shape, depths, dims, drop_path, stem_padding):
    where = "models/convnext"
    if not depths or len(depths) != len(dims) or min(*depths, *dims) < 1:
        rule = "they must be as many numbers above 0, one a stage: [3, 3, 9, 3] and [96, 192, 384, 768]"
        raise UserError(f"{where}: depths = {list(depths)}, dims = {list(dims)}; {rule}.")
    _transformer.check_drop_path(where, drop_path)
    if stem_padding < 0:
        raise UserError(f"{where}: stem_padding = {stem_padding}; it must be 0 or more frames.")
    least = STEM * 2 ** (len(depths) - 1)
    if shape[0] < least or shape[1] + 2 * stem_padding < least:
        needed = f"{least} bands x {least - 2 * stem_padding} frames"
        raise UserError(f"{where}: the input has {shape[0]} bands x {shape[1]} frames; it must be at least {needed}.")


def guess(shapes: Shapes) -> Guess:
    """Settings that fit a state dict.

    What shapes do not show is as in the published weights: with `bn0` those for AudioSet, otherwise those for ImageNet.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: The names are those of timm, which are not mapped, or there are no blocks.
    """
    if "stem.0.weight" in shapes:
        raise ValueError("a ConvNeXt with timm's names; the names of the authors' code are needed")
    stages = count(shapes, "stages.{}.0.gamma")
    if not stages:
        raise ValueError("no block has a layer scale")
    bn0 = "bn0.weight" in shapes
    settings = {
        "depths": [count(shapes, f"stages.{stage}.{{}}.gamma") for stage in range(stages)],
        "dims": [shapes[f"stages.{stage}.0.gamma"][0] for stage in range(stages)],
        "drop_path": 0.1,
        "bn0": bn0,
    }
    head = "head_audioset.weight" if bn0 else "head.weight"
    return Guess(shapes[head][0], settings | (AUDIOSET if bn0 else IMAGENET))
