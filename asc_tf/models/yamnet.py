"""YAMNet, MobileNet v1 on log-mel patches, whole or cut off as YAMNet-256.

Source:  github.com/tensorflow/models, research/audioset/yamnet; YAMNet-256, its first six layers, is of the model zoo
         of STMicroelectronics (yamnet_256_f32.h5).
Input:   (bands, frames, channels), of any size; the originals take 64 bands and 96 frames.   Output: (classes,) logits.
Size:    521 classes, 13 blocks: 3,729,481 parameters, 69,176,521 MACs at 64 x 96; 10 classes, 5 blocks: 134,730.
A layer is named after the original's, underscores for slashes: "layer2_depthwise_conv_bn".
"""

from collections.abc import Sequence

import keras
from keras import layers

from asc_tf.errors import UserError
from asc_tf.models._blocks import checked_input

STEM_CHANNELS = 32
# (stride, channels) of every block.
BLOCKS = (
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (1, 512), (1, 512), (1, 512), (1, 512), (1, 512),
    (2, 1024), (1, 1024),
)  # fmt: skip
BATCH_NORM = {"scale": False, "epsilon": 1e-4, "momentum": 0.99}


def build(input_shape: Sequence[int], classes: int, *, blocks: int) -> keras.Model:
    """The network, without sigmoid.

    The originals take frames x bands. Bands and frames change places inside, so that their weights are used as they
    are; YAMNet-256 has none for the last layer, "logits".

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        blocks: Number of blocks after the first convolution: 13 in YAMNet, 5 in YAMNet-256.

    Returns:
        A functional network to (batch, classes) logits. The output of the layer "embedding" is (batch, 1024), in
        YAMNet-256 (batch, 256).

    Raises:
        UserError: A setting is out of range.
    """
    shape = checked_input("models/yamnet", input_shape, classes)
    if not 1 <= blocks <= len(BLOCKS):
        raise UserError(f"models/yamnet: blocks = {blocks}; it must be 1 to {len(BLOCKS)}.")
    inputs = keras.Input(shape, name="spectrogram")
    x = layers.Permute((2, 1, 3), name="turn")(inputs)
    x = _normalised(_convolved(x, "layer1_conv", STEM_CHANNELS, kernel=3, stride=2), "layer1_conv", "layer1")
    for number, (stride, channels) in enumerate(BLOCKS[:blocks], start=2):
        x = _block(x, f"layer{number}", stride, channels)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="yamnet")


def _block(x, name, stride, channels):
    """Depthwise convolution, then a 1x1 convolution."""
    depthwise, pointwise = f"{name}_depthwise_conv", f"{name}_pointwise_conv"
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=depthwise)(x)
    x = _normalised(x, depthwise, depthwise)
    return _normalised(_convolved(x, pointwise, channels), pointwise, pointwise)


def _convolved(x, name, channels, *, kernel=1, stride=1):
    return layers.Conv2D(channels, kernel, strides=stride, padding="same", use_bias=False, name=name)(x)


def _normalised(x, name, relu):
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{relu}_relu")(x)
