"""CP-ResNet: a residual network whose receptive field is limited, small enough to be a student, or large.

Source:  Koutini et al., "Receptive field regularization techniques", 2021; small: the 128K network of CP-JKU's
         DCASE 2022 and 2023 submissions (github.com/fschmid56/cpjku_dcase23); large: the network of Morocutti
         et al., "Device-robust acoustic scene classification", 2023 (github.com/theMoro/DIRAugmentation).
Input:   (bands, frames, 1) log-mel.   Output: (classes,) logits, all 0 before the first step.
Size:    127,684 parameters, 28,840,396 MACs at 256 x 44, small, width 32, rho 8.
         3,956,628 parameters at any input, large, width 128, rho 7.
"""

import keras
from keras import layers

from asc_tf.errors import UserError
from asc_tf.models._blocks import checked_input, convolved, normalised

# The last stage is four times as wide as the first, less 36: what fitted the limit of the challenge.
CHANNELS_LEFT_OUT = 36
BLOCKS = 4
# From which rho on is a kernel 3 wide instead of 1?  (first, second) kernel of each block.
WIDE_FROM = ((1, 10), (2, 3), (4, 5), (8, 9))
# Below this the four poolings leave nothing.
SMALLEST = (17, 5)


def build(input_shape, classes, *, width: int, rho: int) -> keras.Model:
    """A functional network, every layer named, without softmax; the output layer is "logits".

    input_shape: (bands, frames, channels), at least 17 x 5.  width: channels of the stem, an even number
    from 10; the stages have width, 2 width and 4 width - 36.  rho: size of the receptive field, 1 to 9,
    which decides the kernels that are 3 wide; 4, 5 to 7 (one network) and 8 are published.
    Raises UserError when a setting is out of range or the input too small.
    """
    _check(checked_input("models/cp_resnet", input_shape, classes), width, rho)
    kernels = [[3 if rho >= start else 1 for start in block] for block in WIDE_FROM]
    inputs = keras.Input(input_shape, name="spectrogram")
    # A 5 x 5 kernel with padding 1, as published: 256 bands give 127, not 128.
    x = convolved(inputs, "stem", channels=width, kernel=5, stride=2, pad=1, initializer=_normal("fan_in"))
    x = layers.MaxPooling2D(2, name="stem_pool")(normalised(x, "stem"))
    x = layers.MaxPooling2D((2, 1), name="b1_pool")(_block(x, "b1", width, kernels[0]))
    x = layers.MaxPooling2D((2, 1), name="b2_pool")(_block(x, "b2", width, kernels[1]))
    x = _block(x, "b3", 2 * width, kernels[2], groups=2)
    x = _block(x, "b4", 4 * width - CHANNELS_LEFT_OUT, kernels[3])
    x = normalised(convolved(x, "head", channels=classes, initializer="zeros"), "head", relu=False)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="logits")(x), name="cp_resnet")


def _block(x, name, channels, kernels, groups=1):
    """Two convolutions and a shortcut, added, then ReLU; it starts as its shortcut ("fixup")."""
    first = _normal("fan_out", scale=2.0 / BLOCKS)
    inner = normalised(_convolved(x, f"{name}_conv1", channels, kernels[0], groups, first), f"{name}_conv1")
    inner = _convolved(inner, f"{name}_conv2", channels, kernels[1], groups, "zeros")
    shortcut = x
    if x.shape[-1] != channels:
        shortcut = _convolved(x, f"{name}_shortcut", channels, 1, groups, _normal("fan_out"))
        shortcut = normalised(shortcut, f"{name}_shortcut", relu=False)
    inner = layers.Add(name=f"{name}_add")([normalised(inner, f"{name}_conv2", relu=False), shortcut])
    return layers.ReLU(name=f"{name}_relu")(inner)


def _convolved(x, name, channels, kernel, groups, initializer):
    return convolved(x, name, channels=channels, kernel=kernel, pad=kernel // 3, groups=groups, initializer=initializer)


def _normal(mode, scale=2.0):
    return keras.initializers.VarianceScaling(scale, mode, "untruncated_normal")


def _check(input_shape, width, rho):
    where = "models/cp_resnet"
    if width < 10 or width % 2:
        raise UserError(f"{where}: width = {width}; it must be even and from 10: the last stage is 4 width - 36.")
    if not 1 <= rho <= 9:
        raise UserError(f"{where}: rho = {rho}; it must be 1 to 9.")
    if input_shape[0] < SMALLEST[0] or input_shape[1] < SMALLEST[1]:
        size, least = (f"{bands} bands x {frames} frames" for bands, frames in (input_shape[:2], SMALLEST))
        raise UserError(f"{where}: the input has {size}; the poolings need {least}.")


def torch_name(layer):
    """The original's module of a layer: `stage2.block1.shortcut.bn` for `b3_shortcut_bn`."""
    stem, normalisation = layer.removesuffix("_bn"), layer.endswith("_bn")
    if stem in ("stem", "head"):
        return f"{'in_c' if stem == 'stem' else 'feed_forward'}.{int(normalisation)}"
    block, part = stem.split("_")
    prefix = {"b1": "stage1.block1", "b2": "stage1.block2", "b3": "stage2.block1", "b4": "stage3.block1"}[block]
    if part == "shortcut":
        return f"{prefix}.shortcut.{'bn' if normalisation else 'conv'}"
    return f"{prefix}.{part.replace('conv', 'bn') if normalisation else part}"
