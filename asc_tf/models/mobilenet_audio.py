"""MN, MobileNetV3-large for spectrograms, in all widths.

Source:  Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge distillation",
         ICASSP 2023 (github.com/fschmid56/EfficientAT); its "mlp" head, squeeze and excitation on channels.
Input:   (bands, frames, channels), of any size; the originals take 128 bands.   Output: (classes,) logits.
Size:    10 classes: width 0.4: 718,378 parameters, 1: 4,214,554, 2: 16,585,250, 4: 65,779,746.
"""

from collections.abc import Sequence

import keras
from keras import layers

from asc_tf.models import _mobilenet
from asc_tf.models._blocks import convolved, kaiming, make_divisible, padded
from asc_tf.models._mobilenet import dense, normalised

SQUEEZE_DIVISOR = 4  # of the channels inside squeeze and excitation


def build(input_shape: Sequence[int], classes: int, *, width: float) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        width: Factor of all channels, which are then rounded to multiples of 8; MN10 has 1.

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, 960 at width 1) is the output of the
        layer "classifier_0".

    Raises:
        UserError: A setting is out of range.
    """
    inputs = keras.Input(_mobilenet.checked("models/mobilenet_audio", input_shape, classes, width), name="spectrogram")
    x = _mobilenet.stem(inputs, "features_0", width)
    blocks = _mobilenet.blocks(width)
    for number, block in enumerate(blocks, start=1):
        x = _block(x, f"features_{number}", block)
    x = _mobilenet.head(x, f"features_{len(blocks) + 1}", width, classes)
    return keras.Model(inputs, x, name="mobilenet_audio")


def _block(x, name, block):
    """Expansion unless the width stays, depthwise convolution, squeeze and excitation, projection."""
    parts = iter(f"{name}_block_{index}" for index in range(4))
    inner = x
    if block.expanded != x.shape[-1]:
        part = next(parts)
        inner = normalised(convolved(inner, f"{part}_0", channels=block.expanded), part, block.activation)
    inner = _depthwise(inner, next(parts), block)
    if block.squeezed:
        inner = _squeeze_and_excitation(inner, next(parts))
    part = next(parts)
    inner = normalised(convolved(inner, f"{part}_0", channels=block.channels), part)
    return layers.Add(name=name)([inner, x]) if inner.shape == x.shape else inner


def _depthwise(x, name, block):
    same = block.stride == 1
    x = layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same" if same else "valid",
        use_bias=False,
        depthwise_initializer=kaiming("depthwise"),
        name=f"{name}_0",
    )(x if same else padded(x, f"{name}_0", pad=block.kernel // 2))
    return normalised(x, name, block.activation)


def _squeeze_and_excitation(x, name):
    """Each channel times a weight in 0..1, computed of the means of all channels."""
    prefix = f"{name}_conc_se_layers_0"
    means = layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}_mean")(x)
    weights = dense(means, f"{prefix}_fc1", make_divisible(x.shape[-1] // SQUEEZE_DIVISOR))
    weights = dense(layers.ReLU(name=f"{prefix}_activation")(weights), f"{prefix}_fc2", x.shape[-1])
    weights = layers.Activation("sigmoid", name=f"{prefix}_scale_activation")(weights)
    return layers.Multiply(name=name)([x, weights])
