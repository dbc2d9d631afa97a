"""PaSST, a transformer that is trained on a part of its patches ("patchout").

Source:  Koutini et al., "Efficient training of audio transformers with patchout", Interspeech 2022
         (github.com/kkoutini/PaSST); the teacher of CP-JKU, DCASE 2023.
Input:   (bands, frames, channels) log-mel; 128 bands, 32 kHz, hop 10 ms, (ln + 4.5) / 5 for the public weights.
Output:  (classes,) logits.
Size:    width 768, depth 12, heads 12, patch 16 x 16, stride 10 x 10, grid 12 x 99: 85,350,922 parameters for 10
         classes; 85,358,612 with the original's head_dist, which nothing reads. 86,153,758 with it for 527 classes;
         86,122,270 at stride 16 x 16, grid 8 x 62.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import keras

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models import _transformer
from asc_tf.models._blocks import checked_input
from asc_tf.models._positions import Patchout, PositionedClassTokens, TimeFrequencyPositions
from asc_tf.models._transformer_layers import Pooling
from asc_tf.recipe.registry import Allowed

SIGNATURE = "time_new_pos_embed"
ASSUMED = (
    "heads",
    "stride",
    "patchout_rows",
    "patchout_columns",
    "patchout_tokens",
    "pooling",
    "drop_path",
)
# Rows of the published networks, on 128 bands: stride.
PUBLISHED_STRIDES = {12: 10, 10: 12, 9: 14, 8: 16, 6: 20}


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
    patchout_rows: Annotated[int, Allowed(0)] = 0,
    patchout_columns: Annotated[int, Allowed(0)] = 0,
    patchout_tokens: Annotated[int, Allowed(0)] = 0,
    pooling: Pooling = "tokens",
    drop_path: Annotated[float, Allowed(0, 1)] = 0.0,
    layer_scale: Annotated[float, Allowed(0)] = 0.0,
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Size of a token; 768 is published.
        depth: Number of blocks; 12 and 7 are published.
        heads: Number of attention heads, a divisor of the width; 12 are published.
        patch: [bands, frames] of a patch; [16, 16] is published.
        stride: [bands, frames] from patch to patch; [10, 10], [12, 12], [14, 14], [16, 16], [20, 20] are published.
        grid: [rows, columns] of the position embeddings, those of a checkpoint. The rows must be the input's. Of fewer
            columns than the grid has, training takes a random window of the embeddings and evaluation the first; more
            are cut. By default the input's own.
        patchout_rows: Rows of patches (frequency) left out in training; 4 on AudioSet, 6 for TAU.
        patchout_columns: Columns of patches (time) left out in training; 40 on AudioSet.
        patchout_tokens: Patches left out in training of those that remain.
        pooling: "tokens": the mean of the class and the distillation token, as published; "mean": that of the patches.
        drop_path: Share of the clips that skip a branch in training, in the last block; linear from 0 in the first.
        layer_scale: Initial factor of every branch, which is then trained; 0: without factors, as published.

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, width) is the output of the layer
        "embedding".

    Raises:
        UserError: A setting is out of range.
    """
    where = "models/passt"
    inputs = keras.Input(checked_input(where, input_shape, classes), name="spectrogram")
    _transformer.check_encoder(
        where, width=width, depth=depth, heads=heads, drop_path=drop_path, layer_scale=layer_scale
    )
    rows, columns = _transformer.patch_grid(where, inputs.shape[1:], patch, stride)
    grid = _transformer.checked_grid(where, grid, (rows, columns))
    if grid[0] != rows:
        raise UserError(f"{where}: grid = {grid}; its rows must be those of the input's patches, {rows}.")
    left_out = {"rows": patchout_rows, "columns": patchout_columns, "tokens": patchout_tokens}
    _check_patchout(rows, min(columns, grid[1]), **left_out)

    x = _transformer.patches(inputs, "patch_embed_proj", width, patch, stride)
    x = TimeFrequencyPositions(grid[1], name="positions")(x)
    x = PositionedClassTokens(name="tokens")(Patchout(**left_out, name="patchout")(x))
    x = _transformer.encoder(x, "", depth=depth, heads=heads, drop_path=drop_path, layer_scale=layer_scale)
    return keras.Model(inputs, _transformer.head(x, "head", classes, pooling), name="passt")


def _check_patchout(rows_of_input, columns_of_input, rows, columns, tokens):
    where = "models/passt"
    for name, number, size in (("rows", rows, rows_of_input), ("columns", columns, columns_of_input)):
        if not 0 <= number < size:
            raise UserError(f"{where}: patchout_{name} = {number}; it must be at least 0 and below {size}, all {name}.")
    rest = (rows_of_input - rows) * (columns_of_input - columns)
    if not 0 <= tokens < rest:
        raise UserError(
            f"{where}: patchout_tokens = {tokens}; it must be at least 0 and below {rest}, all that remain."
        )


def torch_name(layer: str, **_: Any) -> str:
    """Name of a layer's module in the PyTorch original; "" for positions and tokens, which belong to the outermost.

    Args:
        layer: Name of the layer.
        **_: Settings of `build`, on which the names do not depend.
    """
    return "" if layer in ("positions", "tokens") else layer


def guess(shapes: Shapes) -> Guess:
    """Settings that fit the shapes of a state dict.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: The shapes are not those of the family.
    """
    rows, columns = shapes["freq_new_pos_embed"][2], shapes[SIGNATURE][3]
    stride = PUBLISHED_STRIDES.get(rows, 10)
    settings = _transformer.guess_encoder(shapes, "") | {"stride": [stride, stride], "grid": [rows, columns]}
    settings |= {"patchout_rows": 0, "patchout_columns": 0, "patchout_tokens": 0}
    return Guess(shapes["head.1.weight"][0], settings)
