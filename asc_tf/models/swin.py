"""Swin transformer for spectrograms.

Source:  Liu et al., "Swin transformer: hierarchical vision transformer using shifted windows", ICCV 2021
         (github.com/microsoft/Swin-Transformer); sizes that windows do not divide as in torchvision.
Input:   (bands, frames, channels).   Output: (classes,) logits.
Size:    width 96, depths 2, 2, 6, 2, heads 3, 6, 12, 24, window 7, patch 4 ("Swin-T"): 27,523,972 parameters for one
         channel and 10 classes.
"""

from collections.abc import Sequence
from typing import Annotated

import keras
from keras import layers

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.models import _swin, _transformer
from asc_tf.models._blocks import checked_input
from asc_tf.recipe.registry import Allowed

SIGNATURE = "layers.0.blocks.0.attn.relative_position_bias_table"
ASSUMED = ("drop_path",)
# Keys of HTS-AT, whose stages have the same names.
NOT_OF_THIS_FAMILY = "tscam_conv.weight"


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: Annotated[int, Allowed(1)],
    depths: Annotated[list[int], Allowed(1)],
    heads: list[int],
    window: Annotated[int, Allowed(1)],
    patch: int,
    drop_path: Annotated[float, Allowed(0, 1)],
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Frames and bands beyond the last whole patch are cut off. Maps that the windows do not divide are padded with zeros
    at the end, after the norm, and maps of an odd size before the merging of patches. The windows, and with them the
    weights, are the same for every input.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Size of a token in the first stage, doubled from stage to stage; 96, 128 and 192 are published.
        depths: Number of blocks of every stage; [2, 2, 6, 2] and [2, 2, 18, 2] are published.
        heads: Number of attention heads of every stage; [3, 6, 12, 24], [4, 8, 16, 32] and [6, 12, 24, 48] are
            published.
        window: Rows and columns of a window, in tokens; 7 and 12 are published.
        patch: Bands and frames of a patch; 4 are published.
        drop_path: Share of the clips that skip a branch in training, in the last block; linear from 0 in the first.
            0.2 is published for Swin-T.

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, width of the last stage) is the output
        of the layer "embedding".

    Raises:
        UserError: A setting is out of range.
    """
    where = "models/swin"
    inputs = keras.Input(checked_input(where, input_shape, classes), name="spectrogram")
    _swin.check(where, width=width, depths=depths, heads=heads, window=window, drop_path=drop_path)
    sides = [patch, patch]
    _transformer.patch_grid(where, inputs.shape[1:], sides, sides)
    x = _swin.norm(_transformer.patches(inputs, "patch_embed_proj", width, sides, sides), "patch_embed_norm")
    x = _swin.stages(x, depths=depths, heads=heads, windows=[window] * len(depths), drop_path=drop_path)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(inputs, _transformer.dense(x, "head", classes), name="swin")


def guess(shapes: Shapes) -> Guess:
    """Settings that fit the shapes of a state dict.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: The shapes are not those of the family.
    """
    if NOT_OF_THIS_FAMILY in shapes:
        raise ValueError(f"{NOT_OF_THIS_FAMILY} belongs to HTS-AT")
    return Guess(shapes["head.weight"][0], _swin.guess_stages(shapes) | {"drop_path": 0.2})
