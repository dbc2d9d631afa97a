"""Layers of vision transformers that Keras does not have.

Tokens are (batch, tokens, width).
"""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers, ops

# The class token and the distillation token of DeiT stand before the patches.
CLASS_TOKENS = 2
Pooling = Literal["tokens", "mean"]


@keras.saving.register_keras_serializable(package="asc_tf")
class SelfAttention(layers.Layer):
    """softmax(q k / sqrt(size of a head)) v of every head, without weights.

    Args:
        heads: Number of heads.
        name: Of the layer.
        trainable: Without effect: there are no weights.
        dtype: Of the computation; the softmax is in float32 at least.
    """

    def __init__(self, heads: int, *, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.heads = heads

    def call(self, qkv: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, tokens, width) of queries, keys and values side by side, (batch, tokens, 3 * width)."""
        tokens, width = qkv.shape[1], qkv.shape[2] // 3
        qkv = ops.reshape(qkv, (-1, tokens, 3, self.heads, width // self.heads))
        return ops.reshape(attention(*ops.unstack(qkv, 3, axis=2)), (-1, tokens, width))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, tokens, width) of (batch, tokens, 3 * width)."""
        return (*input_shape[:-1], input_shape[-1] // 3)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"heads": self.heads}


def attention(
    query: keras.KerasTensor, key: keras.KerasTensor, value: keras.KerasTensor, bias: keras.KerasTensor | None = None
) -> keras.KerasTensor:
    """softmax(query key / sqrt(size) + bias) value, (batch, tokens, heads, size).

    Args:
        query: (batch, tokens, heads, size).
        key: (batch, tokens, heads, size).
        value: (batch, tokens, heads, size).
        bias: (1 or batch, heads, tokens, tokens).
    """
    # Scaled before the product, which may overflow in float16 otherwise.
    return ops.dot_product_attention(query * query.shape[-1] ** -0.5, key, value, bias=bias, scale=1.0)


@keras.saving.register_keras_serializable(package="asc_tf")
class TokenPooling(layers.Layer):
    """Mean of the class and distillation tokens, or mean of the patches' tokens.

    Args:
        pooling: "tokens": of the first two tokens; "mean": of the others.
        name: Of the layer.
        trainable: Without effect: there are no weights.
        dtype: Of the result; the mean is in float32 at least.
    """

    def __init__(self, pooling: Pooling, *, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.pooling = pooling

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, width) of tokens (batch, tokens, width)."""
        x = x[:, :CLASS_TOKENS] if self.pooling == "tokens" else x[:, CLASS_TOKENS:]
        return ops.cast(ops.mean(ops.cast(x, "float32"), axis=1), self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, width)."""
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"pooling": self.pooling}


@keras.saving.register_keras_serializable(package="asc_tf")
class BranchScale(layers.Layer):
    """A trained factor for each channel of a branch ("LayerScale").

    Args:
        initial: The factors at the start.
        name: Of the layer.
        trainable: Whether the factors are trained.
        dtype: Of the computation.

    Source: Touvron et al., "Going deeper with image transformers", 2021.
    """

    def __init__(self, initial: float, *, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.initial = initial

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates gamma, (width,)."""
        start = keras.initializers.Constant(self.initial)
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer=start, name="gamma")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """x times gamma, of x (..., width)."""
        return x * self.gamma

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Sequence[int | None]:
        """The shape of x."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"initial": self.initial}
