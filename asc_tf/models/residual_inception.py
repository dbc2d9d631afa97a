"""Residual inception, a teacher whose blocks filter with kernels of four sizes side by side.

Source:  designed here.  The report of AIT's submission to DCASE 2023 Task 1 fixes the input, "residual
         inception", a dense layer of 64 as embedding and the classes; layers and widths are not published.
Input:   (bands, frames, channels), at least 8 x 8.   Output: (classes,) logits.
Size:    552,056 parameters at 128 x 128 x 3, width 32, embedding 64 (554,430 with the moving statistics).
"""

from collections.abc import Sequence
from typing import Annotated

import keras
from keras import layers

from asc_tf.errors import UserError
from asc_tf.models import _ait
from asc_tf.recipe.registry import Allowed

# (bands, frames) of the kernels beside the pooled path.
KERNELS = ((1, 1), (3, 3), (1, 4))


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
        width: Channels of the first block, a multiple of 4, doubled from each of the four blocks to the next.
        embedding: Size of the hidden dense layer; its output, after ReLU, is that of the layer "embedding".
        dropout: Rate after each of the four blocks and after the embedding, five numbers from 0 to below 1.

    Returns:
        A functional network to (batch, classes) logits, the output of the layer "logits".

    Raises:
        UserError: A setting is out of range or the input too small.
    """
    where = "models/residual_inception"
    if width < 4 or width % 4:
        raise UserError(f"{where}: width = {width}; it must be a multiple of 4: a quarter for each path.")
    widths = [width * 2**number for number in range(_ait.BLOCKS)]
    return _ait.network(where, _block, input_shape, classes, widths=widths, embedding=embedding, dropout=dropout)


def _block(x, name, channels):
    """Two inceptions, added to a 1x1 convolution of the block's input."""
    x = layers.BatchNormalization(name=f"{name}_in_bn")(x)
    shortcut = layers.Conv2D(channels, 1, name=f"{name}_shortcut")(x)
    x = _rectified(_inception(x, f"{name}_inception1", channels), f"{name}_inception1")
    x = layers.Add(name=f"{name}_add")([_inception(x, f"{name}_inception2", channels), shortcut])
    return _rectified(x, f"{name}_out")


def _inception(x, name, channels):
    """Four paths of a quarter of the channels each: three kernels, and a 1x1 convolution of the 3x3 maximum."""
    paths = [
        layers.Conv2D(channels // 4, kernel, padding="same", name=f"{name}_{kernel[0]}x{kernel[1]}")(x)
        for kernel in KERNELS
    ]
    pooled = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_max")(x)
    paths.append(layers.Conv2D(channels // 4, 1, name=f"{name}_max_1x1")(pooled))
    return layers.Concatenate(name=name)(paths)


def _rectified(x, name):
    return layers.BatchNormalization(name=f"{name}_bn")(layers.ReLU(name=f"{name}_relu")(x))
