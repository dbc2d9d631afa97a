"""In which unit is the energy of a cell told?

energy (batch, bands, frames).  Every function gives the same shape; nothing looks beyond its own clip.
"""

import numpy as np
import tensorflow as tf


def ln_above(energy, floor):
    """ln(energy + floor)."""
    return tf.math.log(energy + floor)


def ln_at_least(energy, floor):
    """ln(max(energy, floor))."""
    return tf.math.log(tf.maximum(energy, floor))


def decibels(energy, floor):
    """10 lg(max(energy, floor)): 0 dB is an energy of 1."""
    return (10 / np.log(10)) * ln_at_least(energy, floor)


def against_maximum(level_db, *, reference, top_db):
    """librosa.power_to_db's further settings: 0 dB at the clip's own maximum, nothing below maximum - top_db."""
    maximum = tf.reduce_max(level_db, (1, 2), keepdims=True)
    if top_db:
        level_db = tf.maximum(level_db, maximum - top_db)
    return level_db - maximum if reference == "maximum" else level_db
