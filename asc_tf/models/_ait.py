"""Which pieces do the student and the teacher of AIT's system share?

Source:  the submission of AIT to DCASE 2023 Task 1.  Keras' own defaults of initialisation and batch norm.
"""

import keras
from keras import layers

from asc_tf.errors import UserError
from asc_tf.models._blocks import checked_input

BLOCKS = 4
# Below this the 2x2 poolings of all blocks but the last leave nothing.
SMALLEST = 8


def network(where, block, input_shape, classes, *, widths, embedding, dropout):
    """The blocks `block(x, name, channels)`, each followed by its pooling and dropout, and the dense layers.

    Raises UserError when a setting is out of range or the input too small.
    """
    _check(where, checked_input(where, input_shape, classes), widths, embedding, dropout)
    x = inputs = keras.Input(input_shape, name="spectrogram")
    for number, (channels, share) in enumerate(zip(widths, dropout, strict=False), start=1):
        x = _pooled(block(x, f"b{number}", channels), f"b{number}_pool", last=number == BLOCKS)
        x = layers.Dropout(share, name=f"b{number}_dropout")(x)
    x = layers.ReLU(name="embedding")(layers.Dense(embedding, name="hidden")(x))
    x = layers.Dropout(dropout[-1], name="embedding_dropout")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name=where.split("/")[1])


def _pooled(x, name, *, last):
    return (layers.GlobalAveragePooling2D(name=name) if last else layers.AveragePooling2D(2, name=name))(x)


def _check(where, input_shape, widths, embedding, dropout):
    if min(input_shape[:2]) < SMALLEST:
        size, least = (f"{bands} bands x {frames} frames" for bands, frames in (input_shape[:2], (SMALLEST, SMALLEST)))
        raise UserError(f"{where}: the input has {size}; the poolings need {least}.")
    if min(*widths, embedding) < 1:
        raise UserError(f"{where}: width = {widths[0]}, embedding = {embedding}; both must be above 0.")
    if len(dropout) != BLOCKS + 1 or not all(0 <= share < 1 for share in dropout):
        raise UserError(f"{where}: dropout = {dropout}; it must be five shares from 0 to below 1: four blocks, hidden.")
