"""Layers from the patches of a spectrogram to tokens: positions, patchout, class tokens.

Source:  PaSST: Koutini et al., Interspeech 2022 (github.com/kkoutini/PaSST); AST: Gong et al., Interspeech 2021
         (github.com/YuanGongND/ast).
Patches are (batch, rows, columns, width), frequency before time; tokens are (batch, tokens, width). Weights have the
originals' names and shapes.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from asc_tf.models._transformer import normal
from asc_tf.models._transformer_layers import CLASS_TOKENS


@keras.saving.register_keras_serializable(package="asc_tf")
class TimeFrequencyPositions(layers.Layer):
    """Adds an embedding of its column and one of its row to every patch, as PaSST does.

    Of more columns than the input has, training takes a random window, one for the batch, and evaluation the first.
    An input with more columns is cut.

    Args:
        columns: Number of the columns that have an embedding.
        seed: Of the windows; by default from Python's random state.
        name: Of the layer.
        trainable: Whether the embeddings are trained.
        dtype: Of the computation.
    """

    def __init__(
        self,
        columns: int,
        *,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.columns, self.seed = columns, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the embeddings, freq_new_pos_embed (1, width, rows, 1) and time_new_pos_embed (1, width, 1, columns).

        Args:
            input_shape: (batch, rows, columns, width).
        """
        _, rows, _, width = input_shape
        self.freq_new_pos_embed = self.add_weight(
            shape=(1, width, rows, 1), initializer=normal(), name="freq_new_pos_embed"
        )
        self.time_new_pos_embed = self.add_weight(
            shape=(1, width, 1, self.columns), initializer=normal(), name="time_new_pos_embed"
        )

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Patches with their positions.

        Args:
            x: (batch, rows, columns, width).
            training: Whether to draw the window.
        """
        columns, width = min(x.shape[2], self.columns), x.shape[3]
        first = 0
        if training and columns < self.columns:
            first = keras.random.randint((), 0, self.columns - columns + 1, seed=self.seed_generator)
        of_columns = ops.slice(self.time_new_pos_embed, (0, 0, 0, first), (1, width, 1, columns))
        positions = of_columns + self.freq_new_pos_embed  # (1, width, rows, columns)
        return x[:, :, :columns] + ops.transpose(positions, (0, 2, 3, 1))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, rows, columns, width), with `columns` columns at most."""
        batch, rows, columns, width = input_shape
        return (batch, rows, min(columns, self.columns), width)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"columns": self.columns, "seed": self.seed}


@keras.saving.register_keras_serializable(package="asc_tf")
class Patchout(layers.Layer):
    """The patches as tokens, row by row; in training without some rows and columns, then without some tokens.

    What remains is a random subset in its order, one draw for the batch, of a fixed size.

    Args:
        rows: Number of rows left out.
        columns: Number of columns left out.
        tokens: Number of tokens left out of those that remain.
        seed: Of the draws; by default from Python's random state.
        name: Of the layer.
        trainable: Without effect: there are no weights.
        dtype: Of the computation.
    """

    def __init__(
        self,
        *,
        rows: int = 0,
        columns: int = 0,
        tokens: int = 0,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.rows, self.columns, self.tokens, self.seed = rows, columns, tokens, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """(batch, tokens, width) of patches (batch, rows, columns, width).

        Args:
            x: The patches.
            training: Whether to leave some out.
        """
        if training:
            x = self._without(self._without(x, self.columns, axis=2), self.rows, axis=1)
        x = ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))
        return self._without(x, self.tokens, axis=1) if training else x

    def _without(self, x, number, axis):
        """A random subset in its order, with `number` fewer along an axis."""
        if not number:
            return x
        order = ops.argsort(keras.random.uniform((x.shape[axis],), seed=self.seed_generator))
        return ops.take(x, ops.sort(order[: x.shape[axis] - number]), axis=axis)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, tokens, width) outside training; there are fewer tokens in training."""
        batch, rows, columns, width = input_shape
        return (batch, rows * columns, width)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        numbers = {"rows": self.rows, "columns": self.columns, "tokens": self.tokens}
        return super().get_config() | numbers | {"seed": self.seed}


@keras.saving.register_keras_serializable(package="asc_tf")
class PositionedClassTokens(layers.Layer):
    """Puts the class and the distillation token, each with a position, before the patches' tokens, as PaSST does.

    The constructor takes the arguments of keras.layers.Layer.
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates cls_token and dist_token, (1, 1, width), and new_pos_embed, (1, 2, width).

        Args:
            input_shape: (batch, tokens, width).
        """
        self.cls_token, self.dist_token = _class_tokens(self, input_shape[-1])
        shape = (1, CLASS_TOKENS, input_shape[-1])
        self.new_pos_embed = self.add_weight(shape=shape, initializer=normal(), name="new_pos_embed")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, tokens + 2, width) of (batch, tokens, width)."""
        return _before(ops.concatenate([self.cls_token, self.dist_token], axis=1) + self.new_pos_embed, x)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, tokens + 2, width)."""
        return (input_shape[0], input_shape[1] + CLASS_TOKENS, input_shape[2])


@keras.saving.register_keras_serializable(package="asc_tf")
class GridTokens(layers.Layer):
    """The patches as tokens, row by row, after the class and the distillation token, with positions, as in AST.

    Positions are learned on a grid. Along an axis where the input has fewer patches, the central ones of the grid are
    taken; where it has more, positions are interpolated linearly, as by torch with align_corners = False.

    Args:
        grid: (rows, columns) of the patches that have a position.
        name: Of the layer.
        trainable: Whether tokens and positions are trained.
        dtype: Of the computation.
    """

    def __init__(self, grid: Sequence[int], *, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.grid = tuple(grid)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates cls_token and dist_token, (1, 1, width), and pos_embed, (1, 2 + rows * columns of the grid, width).

        Args:
            input_shape: (batch, rows, columns, width).
        """
        self.cls_token, self.dist_token = _class_tokens(self, input_shape[-1])
        shape = (1, CLASS_TOKENS + self.grid[0] * self.grid[1], input_shape[-1])
        self.pos_embed = self.add_weight(shape=shape, initializer=normal(), name="pos_embed")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, 2 + rows * columns, width) of (batch, rows, columns, width)."""
        _, rows, columns, width = x.shape
        positions = ops.reshape(self.pos_embed[:, CLASS_TOKENS:], (1, *self.grid, width))
        positions = _resized(_resized(positions, columns, axis=2), rows, axis=1)
        tokens = ops.reshape(x + positions, (-1, rows * columns, width))
        classes = ops.concatenate([self.cls_token, self.dist_token], axis=1)
        return _before(classes + self.pos_embed[:, :CLASS_TOKENS], tokens)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, 2 + rows * columns, width)."""
        batch, rows, columns, width = input_shape
        return (batch, rows * columns + CLASS_TOKENS, width)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"grid": self.grid}


def _class_tokens(layer, width):
    return [
        layer.add_weight(shape=(1, 1, width), initializer=normal(), name=name) for name in ("cls_token", "dist_token")
    ]


def _before(first, x):
    """Tokens (1, few, width) before those of every clip."""
    return ops.concatenate([ops.broadcast_to(first, (ops.shape(x)[0], *first.shape[1:])), x], axis=1)


def _resized(x, size, axis):
    """The central part of an axis, or its linear interpolation where it is shorter than `size`."""
    length = x.shape[axis]
    if size == length:
        return x
    if size < length:
        start = length // 2 - size // 2
        return ops.take(x, np.arange(start, start + size), axis=axis)
    positions = np.maximum((np.arange(size) + 0.5) * length / size - 0.5, 0)
    low = positions.astype(int)
    shares = (positions - low).reshape([-1 if number == axis else 1 for number in range(4)])
    low, high = (ops.take(x, np.minimum(low + step, length - 1), axis=axis) for step in (0, 1))
    return low + (high - low) * ops.cast(shares, x.dtype)
