"""AIT's student, a network of four small convolutions and two dense layers.

Source:  the submission of AIT to DCASE 2023 Task 1, order of layers after arXiv 2106.06838, Table I: the
         report's table leaves out the batch norm before each convolution, which its counts contain.
Input:   (bands, frames, channels), at least 8 x 8.   Output: (classes,) logits.
Size:    7,654 parameters with the moving statistics, 7,392 without, at 128 x 128 x 3, width 16, embedding 64.
         The report prints 32 channels after block 3; its counts are those of 16.
"""

from collections.abc import Sequence
from typing import Annotated

import keras
from keras import layers

from asc_tf.models import _ait
from asc_tf.recipe.registry import Allowed


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: Annotated[int, Allowed(1)],
    embedding: Annotated[int, Allowed(1)],
    dropout: Annotated[list[float], Allowed(0, 1)],
) -> keras.Model:
    """The network, without softmax.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Channels of blocks 1 to 3, half of block 4's.
        embedding: Size of the hidden dense layer; its output, after ReLU, is that of the layer "embedding".
        dropout: Rate after each of the four blocks and after the embedding, five numbers from 0 to below 1.

    Returns:
        A functional network to (batch, classes) logits, the output of the layer "logits".

    Raises:
        UserError: A setting is out of range or the input too small.
    """
    widths = (width, width, width, 2 * width)
    return _ait.network(
        "models/ait_student", _block, input_shape, classes, widths=widths, embedding=embedding, dropout=dropout
    )


def _block(x, name, channels):
    """Batch norm, 2x2 convolution, ReLU, batch norm."""
    x = layers.BatchNormalization(name=f"{name}_in_bn")(x)
    x = layers.ReLU(name=f"{name}_relu")(layers.Conv2D(channels, 2, padding="same", name=f"{name}_conv")(x))
    return layers.BatchNormalization(name=f"{name}_out_bn")(x)
