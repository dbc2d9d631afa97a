"""AST, the audio spectrogram transformer: DeiT on overlapping patches of a spectrogram.

Source:  Gong et al., "AST: Audio Spectrogram Transformer", Interspeech 2021 (github.com/YuanGongND/ast).
Input:   (bands, frames, channels) log-mel; 128 bands, 16 kHz, hop 10 ms, (x + 4.2677) / 9.1380 for the public weights.
Output:  (classes,) logits.
Size:    width 768, depth 12, heads 12, patch 16 x 16, stride 10 x 10: 86,594,063 parameters for 527 classes and 1024
         frames (grid 12 x 101), 86,196,490 for 10 classes, 85,348,618 for 10 classes and 100 frames. The original
         has 1,538,000 more in v.head and v.head_dist, which nothing reads.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import keras

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.models import _transformer
from asc_tf.models._blocks import checked_input
from asc_tf.models._positions import GridTokens
from asc_tf.models._transformer_layers import CLASS_TOKENS, Pooling
from asc_tf.recipe.registry import Allowed

SIGNATURE = "v.pos_embed"
ASSUMED = ("heads", "stride", "grid", "pooling", "drop_path")
# Grids of the published networks, on 128 bands: stride; each has other numbers of rows and of patches.
PUBLISHED_STRIDES = {(12, 101): 10, (10, 85): 12, (9, 73): 14, (8, 64): 16}


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: Annotated[int, Allowed(1)],
    depth: Annotated[int, Allowed(1)],
    heads: int,
    patch: list[int],
    stride: list[int],
    grid: list[int] | None = None,
    pooling: Pooling = "tokens",
    drop_path: Annotated[float, Allowed(0, 1)] = 0.0,
    layer_scale: Annotated[float, Allowed(0)] = 0.0,
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Size of a token; 768 (base), 384 (small) and 192 (tiny) are published.
        depth: Number of blocks; 12 are published.
        heads: Number of attention heads, a divisor of the width; 12, 6 and 3 are published.
        patch: [bands, frames] of a patch; [16, 16] is published.
        stride: [bands, frames] from patch to patch; [10, 10], [12, 12], [14, 14] and [16, 16] are published.
        grid: [rows, columns] of the position embeddings, those of a checkpoint: [12, 101] of AudioSet's, [24, 24] of
            ImageNet's. Of fewer rows or columns the central ones are taken; more are interpolated. By default the
            input's own.
        pooling: "tokens": the mean of the class and the distillation token, as published; "mean": that of the patches.
        drop_path: Share of the clips that skip a branch in training, in the last block; linear from 0 in the first.
        layer_scale: Initial factor of every branch, which is then trained; 0: without factors, as published.

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, width) is the output of the layer
        "embedding".

    Raises:
        UserError: A setting is out of range.
    """
    where = "models/ast"
    inputs = keras.Input(checked_input(where, input_shape, classes), name="spectrogram")
    _transformer.check_encoder(
        where, width=width, depth=depth, heads=heads, drop_path=drop_path, layer_scale=layer_scale
    )
    grid_of_input = _transformer.patch_grid(where, inputs.shape[1:], patch, stride)
    x = _transformer.patches(inputs, "v_patch_embed_proj", width, patch, stride)
    x = GridTokens(_transformer.checked_grid(where, grid, grid_of_input), name="v_tokens")(x)
    x = _transformer.encoder(x, "v_", depth=depth, heads=heads, drop_path=drop_path, layer_scale=layer_scale)
    return keras.Model(inputs, _transformer.head(x, "mlp_head", classes, pooling), name="ast")


def torch_name(layer: str, **_: Any) -> str:
    """Name of a layer's module in the PyTorch original; "v" for the tokens, which belong to that module itself.

    Args:
        layer: Name of the layer.
        **_: Settings of `build`, on which the names do not depend.
    """
    return "v" if layer == "v_tokens" else layer


def guess(shapes: Shapes) -> Guess:
    """Settings that fit the shapes of a state dict.

    Rows and columns of the grid have one axis in the checkpoint: the grid is a published one, or else that of the
    smallest published stride whose rows, on 128 bands, divide the number of patches.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: The shapes are not those of the family.
    """
    rows, columns, stride = _grid(shapes[SIGNATURE][1] - CLASS_TOKENS)
    settings = _transformer.guess_encoder(shapes, "v.") | {"stride": [stride, stride], "grid": [rows, columns]}
    return Guess(shapes["mlp_head.1.weight"][0], settings)


def _grid(patches):
    """(rows, columns, stride) of a number of patches."""
    for (rows, columns), stride in PUBLISHED_STRIDES.items():
        if rows * columns == patches:
            return rows, columns, stride
    for (rows, _), stride in PUBLISHED_STRIDES.items():
        if patches % rows == 0:
            return rows, patches // rows, stride
    raise ValueError(f"{patches} patches have none of the numbers of rows of the published strides")
