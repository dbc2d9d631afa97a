"""Stages of the Swin transformer: attention in windows, which every second block shifts, and merging of patches.

Source:  Liu et al., "Swin transformer: hierarchical vision transformer using shifted windows", ICCV 2021
         (github.com/microsoft/Swin-Transformer).
A layer is named after its module in the original, underscores for dots: `layers.0.blocks.1.attn.qkv` is
"layers_0_blocks_1_attn_qkv". Tokens stay maps, (batch, rows, columns, width): frequency before time.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from asc_tf.checkpoints.guess import Shapes, count
from asc_tf.errors import UserError
from asc_tf.models import _blocks, _transformer
from asc_tf.models._transformer_layers import attention

EPSILON = 1e-5
# Added to the attention between tokens of a window that are no neighbours in the map.
MASKED = -100.0


def check(
    where: str, *, width: int, depths: Sequence[int], heads: Sequence[int], window: int, drop_path: float
) -> None:
    """Refuses settings of the stages that are out of range.

    Args:
        where: Start of the error message, as "models/swin".
        width: Size of a token in the first stage.
        depths: Number of blocks of every stage.
        heads: Number of attention heads of every stage.
        window: Rows and columns of a window.
        drop_path: Share of dropped branches in the last block.

    Raises:
        UserError: A setting is out of range.
    """
    if not depths or min(depths) < 1 or len(heads) != len(depths):
        raise UserError(f"{where}: depths = {depths}, heads = {heads}; both must be one number above 0 for each stage.")
    if min(heads) < 1 or width < 1 or any(width * 2**stage % number for stage, number in enumerate(heads)):
        raise UserError(
            f"{where}: width = {width}, heads = {heads}; the width, doubled each stage, must be a multiple."
        )
    if window < 1:
        raise UserError(f"{where}: window = {window}; it must be at least 1.")
    _transformer.check_drop_path(where, drop_path)


def stages(
    x: keras.KerasTensor, *, depths: Sequence[int], heads: Sequence[int], windows: Sequence[int], drop_path: float
) -> keras.KerasTensor:
    """Stages of blocks, each but the last with half the rows and columns and twice the width after it; a last norm.

    Args:
        x: (batch, rows, columns, width).
        depths: Number of blocks of every stage.
        heads: Number of attention heads of every stage.
        windows: Rows and columns of a window of every stage.
        drop_path: Share of dropped branches in the last block.
    """
    shares = iter(_transformer.drop_paths(drop_path, sum(depths)))
    for stage, (depth, number, window) in enumerate(zip(depths, heads, windows, strict=True)):
        for position in range(depth):
            name = f"layers_{stage}_blocks_{position}"
            x = _block(x, name, number, window, is_shifted=position % 2 == 1, share=next(shares))
        if stage < len(depths) - 1:
            x = _merged(x, f"layers_{stage}_downsample")
    return norm(x, "norm")


def norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Layer norm over the last axis.

    Args:
        x: (batch, rows, columns, width).
        name: Of the layer.
    """
    return _transformer.norm(x, name, EPSILON)


def _block(x, name, heads, window, is_shifted, share):
    """Attention in windows and two dense layers, each after a norm and added to its input."""
    inner = _attended(norm(x, f"{name}_norm1"), f"{name}_attn", heads, window, is_shifted)
    x = layers.Add(name=f"{name}_attn_add")([x, _blocks.dropped(inner, f"{name}_drop_path1", share)])
    inner = _transformer.mlp(norm(x, f"{name}_norm2"), f"{name}_mlp")
    return layers.Add(name=name)([x, _blocks.dropped(inner, f"{name}_drop_path2", share)])


def _attended(x, name, heads, window, is_shifted):
    """Attention in windows; rows and columns are padded at the end to whole windows, as in torchvision."""
    width, missing = x.shape[-1], [-size % window for size in x.shape[1:3]]
    if any(missing):
        x = layers.ZeroPadding2D([(0, number) for number in missing], name=f"{name}_pad")(x)
    # Along an axis of a single window there is nothing to shift.
    shift = [window // 2 if is_shifted and size > window else 0 for size in x.shape[1:3]]
    x = _transformer.dense(x, f"{name}_qkv", 3 * width)
    x = _transformer.dense(WindowAttention(heads, window, shift, name=name)(x), f"{name}_proj", width)
    return layers.Cropping2D([(0, number) for number in missing], name=f"{name}_crop")(x) if any(missing) else x


def _merged(x, name):
    """2 x 2 tokens side by side, norm, dense layer to twice the width; an odd size is padded at the end."""
    missing = [size % 2 for size in x.shape[1:3]]
    if any(missing):
        x = layers.ZeroPadding2D([(0, number) for number in missing], name=f"{name}_pad")(x)
    _, rows, columns, width = x.shape
    x = layers.Reshape((rows // 2, 2, columns // 2, 2, width), name=f"{name}_split")(x)
    x = layers.Permute((1, 3, 4, 2, 5), name=f"{name}_order")(x)  # of the four, the rows alternate first
    x = layers.Reshape((rows // 2, columns // 2, 4 * width), name=f"{name}_concatenate")(x)
    return _transformer.dense(norm(x, f"{name}_norm"), f"{name}_reduction", 2 * width, use_bias=False)


def guess_stages(shapes: Shapes) -> dict[str, Any]:
    """Settings of `check` that fit the shapes of a state dict, but drop_path, and "patch".

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: The hidden layers are not EXPANSION times as wide as the tokens.
    """
    width, _, patch, _ = shapes["patch_embed.proj.weight"]
    if shapes["layers.0.blocks.0.mlp.fc1.weight"] != (_transformer.EXPANSION * width, width):
        raise ValueError(f"hidden layers of another width than {_transformer.EXPANSION} x {width}")
    depths = [
        count(shapes, f"layers.{stage}.blocks.{{}}.norm1.weight")
        for stage in range(count(shapes, "layers.{}.blocks.0.norm1.weight"))
    ]
    heads = [shapes[table_key(stage)][1] for stage in range(len(depths))]
    settings = {"width": width, "depths": depths, "heads": heads, "window": window_of(shapes, 0)}
    return settings | {"patch": patch}


def window_of(shapes: Shapes, stage: int) -> int:
    """Rows and columns of a window of a stage.

    Args:
        shapes: Shape of every tensor by key.
        stage: Counted from 0.
    """
    return (math.isqrt(shapes[table_key(stage)][0]) + 1) // 2


def table_key(stage: int) -> str:
    """Key of the bias table of a stage's first block.

    Args:
        stage: Counted from 0.
    """
    return f"layers.{stage}.blocks.0.attn.relative_position_bias_table"


@keras.saving.register_keras_serializable(package="asc_tf")
class WindowAttention(layers.Layer):
    """Self-attention inside windows of a map, with a bias for each distance, before the projection.

    Windows are shifted by rolling the map; what comes round from its other end is masked.

    Args:
        heads: Number of heads.
        window: Rows and columns of a window.
        shift: Rows and columns by which the windows are shifted.
        name: Of the layer.
        trainable: Whether the biases are trained.
        dtype: Of the computation; the softmax is in float32 at least.
    """

    def __init__(
        self,
        heads: int,
        window: int,
        shift: Sequence[int],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.heads, self.window, self.shift = heads, window, tuple(shift)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates relative_position_bias_table, ((2 * window - 1) squared, heads).

        Args:
            input_shape: (batch, rows, columns, 3 * width), rows and columns multiples of the window.
        """
        self.relative_position_bias_table = self.add_weight(
            shape=((2 * self.window - 1) ** 2, self.heads),
            initializer=_transformer.normal(),
            name="relative_position_bias_table",
        )
        self._distances = distances(self.window)
        self._mask = shift_mask(input_shape[1:3], self.window, self.shift) if any(self.shift) else None

    def call(self, qkv: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, rows, columns, width) of queries, keys and values side by side, (batch, rows, columns, 3 * width)."""
        _, rows, columns, depth = qkv.shape
        down, across, width = rows // self.window, columns // self.window, depth // 3
        x = ops.roll(qkv, (-self.shift[0], -self.shift[1]), axis=(1, 2)) if any(self.shift) else qkv
        x = ops.reshape(x, (-1, down, self.window, across, self.window, 3, width))
        x = ops.transpose(x, (5, 0, 2, 4, 1, 3, 6))
        # Heads of all windows side by side: they share one bias, whatever the batch.
        x = ops.reshape(x, (3, -1, self.window**2, down * across * self.heads, width // self.heads))
        x = attention(*ops.unstack(x, 3), bias=self._bias(down * across))
        x = ops.reshape(x, (-1, self.window, self.window, down, across, width))
        x = ops.reshape(ops.transpose(x, (0, 3, 1, 4, 2, 5)), (-1, rows, columns, width))
        return ops.roll(x, self.shift, axis=(1, 2)) if any(self.shift) else x

    def _bias(self, windows):
        """Of all heads of all windows, (1, windows * heads, tokens of a window, tokens of a window)."""
        tokens = self.window**2
        bias = ops.take(ops.transpose(self.relative_position_bias_table), self._distances, axis=1)
        bias = ops.reshape(bias, (1, self.heads, tokens, tokens))
        bias = ops.broadcast_to(bias, (windows, self.heads, tokens, tokens))
        if self._mask is not None:
            bias = bias + ops.cast(self._mask[:, None], bias.dtype)
        return ops.reshape(bias, (1, windows * self.heads, tokens, tokens))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, rows, columns, width) of (batch, rows, columns, 3 * width)."""
        return (*input_shape[:-1], input_shape[-1] // 3)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"heads": self.heads, "window": self.window, "shift": self.shift}


def distances(window: int) -> np.ndarray:
    """Index into a bias table of every pair of tokens of a window, (window ** 4,), the query's token first.

    Args:
        window: Rows and columns of a window.
    """
    places = np.array(list(itertools.product(range(window), repeat=2)))
    rows, columns = (places[:, None] - places[None] + window - 1).transpose(2, 0, 1)
    return (rows * (2 * window - 1) + columns).ravel()


def shift_mask(size: Sequence[int], window: int, shift: Sequence[int]) -> np.ndarray:
    """MASKED for every pair of tokens in a window of the rolled map that were no neighbours before, else 0.

    Args:
        size: Rows and columns of the map, multiples of the window.
        window: Rows and columns of a window.
        shift: Rows and columns by which the map is rolled.

    Returns:
        (windows, tokens of a window, tokens of a window) in float32.
    """
    rows, columns = (
        (np.arange(length) >= length - window).astype(int) + (np.arange(length) >= length - step)
        for length, step in zip(size, shift, strict=True)
    )
    regions = 3 * rows[:, None] + columns  # (rows, columns)
    regions = regions.reshape(size[0] // window, window, size[1] // window, window).transpose(0, 2, 1, 3)
    regions = regions.reshape(-1, window**2)
    return np.where(regions[:, :, None] == regions[:, None], 0, MASKED).astype("float32")
