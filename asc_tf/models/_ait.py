"""The skeleton that the student and the teacher of AIT's system share: four blocks, then two dense layers.

Source:  the submission of AIT to DCASE 2023 Task 1. Keras's defaults of initialisation and batch norm.
"""

from collections.abc import Callable, Sequence

import keras
from keras import layers

from asc_tf.errors import UserError
from asc_tf.models._blocks import checked_input

BLOCKS = 4
SMALLEST_SIZE = 8  # of an axis of the input: below, the 2x2 poolings of all blocks but the last leave nothing


def network(
    where: str,
    block: Callable[[keras.KerasTensor, str, int], keras.KerasTensor],
    input_shape: Sequence[int],
    classes: int,
    *,
    widths: Sequence[int],
    embedding: int,
    dropout: Sequence[float],
) -> keras.Model:
    """The network of four blocks, each followed by pooling and dropout, and two dense layers.

    Args:
        where: Start of error messages, "models/" and the network's name.
        block: Function (x, name, channels) that adds the layers of a block, their names starting with `name`.
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        widths: Channels of each block.
        embedding: Size of the hidden dense layer; its output, after ReLU, is that of the layer "embedding".
        dropout: Rate after each block and after the embedding.

    Returns:
        A functional network to (batch, classes) logits, the output of the layer "logits".

    Raises:
        UserError: A setting is out of range or the input too small.
    """
    _check(where, checked_input(where, input_shape, classes), widths, embedding, dropout)
    x = inputs = keras.Input(input_shape, name="spectrogram")
    for number, (channels, rate) in enumerate(zip(widths, dropout, strict=False), start=1):
        x = _pooled(block(x, f"b{number}", channels), f"b{number}_pool", last=number == BLOCKS)
        x = layers.Dropout(rate, name=f"b{number}_dropout")(x)
    x = layers.ReLU(name="embedding")(layers.Dense(embedding, name="hidden")(x))  # (batch, embedding)
    x = layers.Dropout(dropout[-1], name="embedding_dropout")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name=where.split("/")[1])


def _pooled(x, name, *, last):
    return (layers.GlobalAveragePooling2D(name=name) if last else layers.AveragePooling2D(2, name=name))(x)


def _check(where, input_shape, widths, embedding, dropout):
    if min(input_shape[:2]) < SMALLEST_SIZE:
        smallest = SMALLEST_SIZE, SMALLEST_SIZE
        size, least = (f"{bands} bands x {frames} frames" for bands, frames in (input_shape[:2], smallest))
        raise UserError(f"{where}: the input has {size}; the poolings need {least}.")
    if min(*widths, embedding) < 1:
        raise UserError(f"{where}: width = {widths[0]}, embedding = {embedding}; both must be above 0.")
    if len(dropout) != BLOCKS + 1 or not all(0 <= rate < 1 for rate in dropout):
        raise UserError(f"{where}: dropout = {dropout}; it must be five rates from 0 to below 1: four blocks, hidden.")
