"""Logarithms of energy: natural logarithm or decibels, with a floor.

Every function returns the shape of its input, (batch, bands, frames), and computes each clip by itself.
"""

import numpy as np
import tensorflow as tf


def ln_above(energy: tf.Tensor, floor: float) -> tf.Tensor:
    """ln(energy + floor)."""
    return tf.math.log(energy + floor)


def ln_at_least(energy: tf.Tensor, floor: float) -> tf.Tensor:
    """ln(max(energy, floor))."""
    return tf.math.log(tf.maximum(energy, floor))


def decibels(energy: tf.Tensor, floor: float) -> tf.Tensor:
    """10 lg(max(energy, floor)): 0 dB is an energy of 1."""
    return (10 / np.log(10)) * ln_at_least(energy, floor)


def against_maximum(level_db: tf.Tensor, *, reference: str, top_db: float) -> tf.Tensor:
    """Limits decibels to a range below each clip's maximum and shifts their 0 dB, as librosa.power_to_db does.

    Args:
        level_db: (batch, bands, frames).
        reference: "one" leaves 0 dB, "maximum" puts it at the clip's maximum (librosa's ref=np.max).
        top_db: Nothing is further below the clip's maximum; 0 for no such limit.

    Returns:
        (batch, bands, frames).
    """
    maximum = tf.reduce_max(level_db, (1, 2), keepdims=True)
    if top_db:
        level_db = tf.maximum(level_db, maximum - top_db)
    return level_db - maximum if reference == "maximum" else level_db
