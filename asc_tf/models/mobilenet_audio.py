"""MN, MobileNetV3-large for spectrograms, in all widths.

Source:  Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge distillation",
         ICASSP 2023 (github.com/fschmid56/EfficientAT); squeeze and excitation on channels.
Input:   (bands, frames, channels), of any size; the originals take 128 bands.   Output: (classes,) logits.
Size:    10 classes: width 0.4: 718,378 parameters, 1: 4,214,554, 2: 16,585,250, 4: 65,779,746.
"""

from collections.abc import Sequence
from typing import Literal

import keras

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models import _mobilenet
from asc_tf.models._inverted_residual import block_sizes, inverted_residual

# A key that every state dict of the family has; settings that shapes do not show.
SIGNATURE = "features.4.block.2.conc_se_layers.0.fc1.weight"
ASSUMED = ("strides",)


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: float,
    strides: list[int] = _mobilenet.STRIDES,
    blocks: int = len(_mobilenet.BLOCKS),
    head: Literal["mlp", "linear", "fully_convolutional"] = "mlp",
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Factor of all channels, which are then rounded to multiples of 8; MN10 has 1.
        strides: Of the 15 blocks, 1 or 2. EfficientAT's `strides` are those of blocks 2, 4, 7 and 13, its published
            (2, 2, 1, 1) leaves 1 in the last two.
        blocks: The first blocks, 1 to 15, that the network has, as many as this; the originals have all. Most weights
            are in the last ones: the start of a large network may be a small one.
        head: "mlp", two dense layers after the mean; "linear", one; "fully_convolutional", a 1x1 convolution and batch
            norm before it. The originals have no "linear".

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, 960 at width 1) is the output of the
        layer "classifier_0" of the heads "mlp" and "linear".

    Raises:
        UserError: A setting is out of range.
    """
    shape = _mobilenet.checked("models/mobilenet_audio", input_shape, classes, width, strides)
    if not 1 <= blocks <= len(strides):
        raise UserError(f"models/mobilenet_audio: blocks = {blocks}; it must be 1 to {len(strides)}.")
    inputs = keras.Input(shape, name="spectrogram")
    x = _mobilenet.stem(inputs, "features_0", width)
    for number, block in enumerate(_mobilenet.blocks(width, strides)[:blocks], start=1):
        x = inverted_residual(x, f"features_{number}", block)
    x = _mobilenet.head(x, f"features_{len(strides) + 1}", width, classes, head)
    return keras.Model(inputs, x, name="mobilenet_audio")


def guess(shapes: Shapes) -> Guess:
    """Settings that fit a state dict; strides cannot be seen and are those of most published networks.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: No width gives the channels.
    """
    head, classes, hidden = _mobilenet.head_of(shapes)
    sizes = {number: block_sizes(shapes, f"features.{number + 1}") for number in range(len(_mobilenet.BLOCKS))}
    width = _mobilenet.width_of(shapes["features.0.0.weight"][0], sizes, hidden)
    return Guess(classes, {"width": width, "strides": list(_mobilenet.STRIDES), "head": head})
