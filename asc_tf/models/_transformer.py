"""Pieces of vision transformers (ViT, DeiT) on spectrograms: patches, encoder blocks, head.

Source:  Dosovitskiy et al., "An image is worth 16x16 words", 2021; Touvron et al., "DeiT", 2021, as in timm 0.4.5.
A layer is named after its module in the original, underscores for dots: `blocks.0.attn.qkv` is "blocks_0_attn_qkv".
Tokens are (batch, tokens, width), patches (batch, rows, columns, width): frequency before time.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from asc_tf.checkpoints.guess import Shapes, count
from asc_tf.errors import UserError
from asc_tf.models import _blocks
from asc_tf.models._torch_defaults import uniform_with_bias
from asc_tf.models._transformer_layers import BranchScale, Pooling, SelfAttention, TokenPooling

# The hidden layer of a block is this many times as wide as its input.
EXPANSION = 4
EPSILON = {"encoder": 1e-6, "head": 1e-5}
# The published networks have heads of this size.
HEAD_SIZE = 64


def normal() -> keras.initializers.Initializer:
    """A new trunc_normal_(std=0.02): torch truncates it at -+2, 100 stds, which is never reached."""
    return keras.initializers.RandomNormal(stddev=0.02)


def patch_grid(where: str, input_shape: Sequence[int], patch: Sequence[int], stride: Sequence[int]) -> tuple[int, int]:
    """Numbers of rows (frequency) and columns (time) of patches; the rest of the spectrogram is cut off.

    Args:
        where: Start of the error message, as "models/passt".
        input_shape: (bands, frames, channels).
        patch: Bands and frames of a patch.
        stride: Bands and frames from patch to patch.

    Raises:
        UserError: The patch or the stride is out of range, or no patch fits into the spectrogram.
    """
    for name, pair in (("patch", patch), ("stride", stride)):
        if len(pair) != 2 or min(pair) < 1:
            raise UserError(f"{where}: {name} = {pair}; it must be [bands, frames], whole numbers above 0.")
    if input_shape[0] < patch[0] or input_shape[1] < patch[1]:
        size = " x ".join(map(str, input_shape[:2]))
        raise UserError(f"{where}: the input is {size}; it must be at least one patch, {patch[0]} x {patch[1]}.")
    rows, columns = ((input_shape[axis] - patch[axis]) // stride[axis] + 1 for axis in (0, 1))
    return rows, columns


def checked_grid(where: str, grid: Sequence[int] | None, of_input: tuple[int, int]) -> tuple[int, int]:
    """The grid of a network's position embeddings: (rows, columns), by default those of the input.

    Args:
        where: Start of the error message, as "models/passt".
        grid: The setting.
        of_input: (rows, columns) of the input's patches.

    Raises:
        UserError: The grid is not two whole numbers above 0.
    """
    if grid is None:
        return of_input
    if len(grid) != 2 or min(grid) < 1:
        raise UserError(f"{where}: grid = {grid}; it must be [rows, columns], whole numbers above 0.")
    return tuple(grid)


def check_encoder(where: str, *, width: int, depth: int, heads: int, drop_path: float, layer_scale: float) -> None:
    """Refuses settings of `encoder` that are out of range.

    Args:
        where: Start of the error message, as "models/passt".
        width: Size of a token.
        depth: Number of blocks.
        heads: Number of attention heads.
        drop_path: Share of dropped branches in the last block.
        layer_scale: Initial factor of the branches, or 0.

    Raises:
        UserError: A setting is out of range.
    """
    if heads < 1 or width < 1 or width % heads:
        raise UserError(f"{where}: width = {width}, heads = {heads}; the width must be a multiple of the heads.")
    if depth < 1:
        raise UserError(f"{where}: depth = {depth}; it must be at least 1.")
    check_drop_path(where, drop_path)
    if layer_scale < 0:
        raise UserError(f"{where}: layer_scale = {layer_scale}; it must be at least 0.")


def check_drop_path(where: str, drop_path: float) -> None:
    """Refuses a share of dropped branches out of range.

    Args:
        where: Start of the error message, as "models/passt".
        drop_path: Share of dropped branches in the last block.

    Raises:
        UserError: The share is not in [0, 1).
    """
    if not 0 <= drop_path < 1:
        raise UserError(f"{where}: drop_path = {drop_path}; it must be at least 0 and below 1.")


def drop_paths(last: float, blocks: int) -> list[float]:
    """Share of dropped branches of every block, linear from 0 to `last`.

    Args:
        last: Share of the last block.
        blocks: Number of blocks.
    """
    return [last * number / max(blocks - 1, 1) for number in range(blocks)]


def patches(
    x: keras.KerasTensor, name: str, width: int, patch: Sequence[int], stride: Sequence[int]
) -> keras.KerasTensor:
    """Linear projection of every patch, (batch, rows, columns, width).

    Args:
        x: (batch, bands, frames, channels).
        name: Of the convolution.
        width: Size of the projection.
        patch: Bands and frames of a patch.
        stride: Bands and frames from patch to patch.
    """
    initial = uniform_with_bias(patch[0] * patch[1] * x.shape[-1])
    return layers.Conv2D(width, tuple(patch), strides=tuple(stride), **initial, name=name)(x)


def encoder(
    x: keras.KerasTensor, name: str, *, depth: int, heads: int, drop_path: float, layer_scale: float
) -> keras.KerasTensor:
    """Pre-norm transformer blocks and a last norm.

    Args:
        x: Tokens (batch, tokens, width).
        name: Prefix of the layers' names, as "v_".
        depth: Number of blocks.
        heads: Number of attention heads.
        drop_path: Share of dropped branches in the last block.
        layer_scale: Initial factor of the branches; 0: without factors.
    """
    for number, share in enumerate(drop_paths(drop_path, depth)):
        block = f"{name}blocks_{number}"
        inner = dense(norm(x, f"{block}_norm1"), f"{block}_attn_qkv", 3 * x.shape[-1])
        inner = dense(SelfAttention(heads, name=f"{block}_attn")(inner), f"{block}_attn_proj", x.shape[-1])
        x = layers.Add(name=f"{block}_attn_add")([x, _branch(inner, block, 1, share, layer_scale)])
        inner = mlp(norm(x, f"{block}_norm2"), f"{block}_mlp")
        x = layers.Add(name=block)([x, _branch(inner, block, 2, share, layer_scale)])
    return norm(x, f"{name}norm")


def _branch(x, block, number, share, layer_scale):
    """A branch's output as it is added: scaled, and dropped for some of the clips."""
    if layer_scale:
        x = BranchScale(layer_scale, name=f"{block}_ls{number}")(x)
    return _blocks.dropped(x, f"{block}_drop_path{number}", share)


def mlp(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Two dense layers with an exact GELU between them.

    Args:
        x: (..., width).
        name: Prefix of the layers' names.
    """
    inner = layers.Activation("gelu", name=f"{name}_act")(dense(x, f"{name}_fc1", EXPANSION * x.shape[-1]))
    return dense(inner, f"{name}_fc2", x.shape[-1])


def head(x: keras.KerasTensor, name: str, classes: int, pooling: Pooling) -> keras.KerasTensor:
    """Pooling of the tokens (the layer "embedding"), norm and a dense layer to (batch, classes) logits.

    Args:
        x: (batch, tokens, width).
        name: Prefix of the names of norm and dense layer.
        classes: Number of classes.
        pooling: "tokens" or "mean", as of TokenPooling.
    """
    x = norm(TokenPooling(pooling, name="embedding")(x), f"{name}_0", EPSILON["head"])
    return dense(x, f"{name}_1", classes)


def norm(x: keras.KerasTensor, name: str, epsilon: float = EPSILON["encoder"]) -> keras.KerasTensor:
    """Layer norm over the last axis.

    Args:
        x: (..., width).
        name: Of the layer.
        epsilon: Added to the variance.
    """
    return layers.LayerNormalization(epsilon=epsilon, name=name)(x)


def dense(x: keras.KerasTensor, name: str, size: int, use_bias: bool = True) -> keras.KerasTensor:
    """A dense layer with the originals' initializer.

    Args:
        x: (..., inputs).
        name: Of the layer.
        size: Number of outputs.
        use_bias: Whether there is a bias, 0 at the start.
    """
    return layers.Dense(size, use_bias=use_bias, kernel_initializer=normal(), name=name)(x)


def guess_encoder(shapes: Shapes, name: str) -> dict[str, Any]:
    """Settings of `encoder`, its patches and `head`, as far as the two families share them.

    Args:
        shapes: Shape of every tensor of a state dict by key.
        name: Prefix of the encoder's keys, as "v.".

    Raises:
        LookupError: A key is missing.
        ValueError: The hidden layers are not EXPANSION times as wide as the tokens.
    """
    width, _, *patch = shapes[f"{name}patch_embed.proj.weight"]
    depth = count(shapes, name + "blocks.{}.norm1.weight")
    if shapes[f"{name}blocks.0.mlp.fc1.weight"] != (EXPANSION * width, width):
        raise ValueError(f"hidden layers of another width than {EXPANSION} x {width}")
    settings = {"width": width, "depth": depth, "heads": max(1, width // HEAD_SIZE), "patch": list(patch)}
    scaled = f"{name}blocks.0.ls1.gamma" in shapes
    return settings | {"pooling": "tokens", "drop_path": 0.0, "layer_scale": 1e-5 if scaled else 0.0}
