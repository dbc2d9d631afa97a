"""Random numbers of the augmentations, all functions of a seed, and checks of their settings."""

from collections.abc import Sequence

import tensorflow as tf

from asc_tf.errors import UserError

Shape = Sequence[int | tf.Tensor]


def split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """`count` independent seeds, each (2,) int32, of one."""
    return tf.unstack(tf.random.experimental.stateless_split(seed, count))


def uniform(shape: Shape, seed: tf.Tensor, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
    """Uniform float32 in [low, high)."""
    return tf.random.stateless_uniform(shape, seed, low, high)


def integers(shape: Shape, seed: tf.Tensor, low: int | tf.Tensor, high: int | tf.Tensor) -> tf.Tensor:
    """Uniform int32 in [low, high)."""
    return tf.random.stateless_uniform(shape, seed, low, high, tf.int32)


def beta(shape: Shape, seed: tf.Tensor, alpha: float) -> tf.Tensor:
    """Float32 of Beta(alpha, alpha), as the share of one gamma draw in two; gamma draws do not run under XLA."""
    one, other = (tf.random.stateless_gamma(shape, s, alpha) for s in split(seed, 2))
    return (one + 1e-30) / (one + other + 2e-30)  # both draws of a small alpha may underflow to 0


def permutation(count: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """(count,) int32: 0 ... count - 1 in random order, which may leave some where they are."""
    return tf.random.experimental.stateless_shuffle(tf.range(count), seed)


def check_share(part: str, p: float) -> None:
    """Raises UserError unless p is from 0 to 1."""
    if not 0 <= p <= 1:
        raise UserError(f"augmentation/{part}: p = {p} must be from 0 to 1.")


def check_positive(part: str, name: str, value: float) -> None:
    """Raises UserError unless the setting of that name is above 0."""
    if value <= 0:
        raise UserError(f"augmentation/{part}: {name} = {value} must be above 0.")


def check_span(part: str, name: str, span: Sequence[float], least: float = -float("inf")) -> None:
    """Raises UserError unless the setting of that name is [low, high] in that order, neither below `least`."""
    if len(span) != 2 or not least <= span[0] <= span[1]:
        floor = "" if least == -float("inf") else f", none below {least:g}"
        raise UserError(f"augmentation/{part}: {name} = {list(span)} must be [low, high]{floor}.")
