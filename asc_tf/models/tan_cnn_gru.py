"""CNN-GRU, a small convolutional network with two poolings side by side and a GRU over its last channels.

Source:  Tan_SNTLNTU, second place of DCASE 2025 Task 1, submissions 1 and 2 (github.com/joesephgit/DCASE2025).
Input:   (bands, frames, 1) log-mel, 246 to 261 bands.   Output: (classes,) logits.
Size:    58,171 parameters, 10,902,300 MACs at 256 x 33: width 24, multiplier 1.5, expansion 2, divisor 5.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import keras
from keras import layers

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models._blocks import BATCH_NORM, checked_input, subsampled
from asc_tf.models._fast_layers import BatchNormalization
from asc_tf.models._mixing import MeansMixing, PoolsMixing
from asc_tf.models._torch_defaults import AxisMean, convolved, dense, depthwise, shuffled
from asc_tf.recipe.registry import Allowed

WHERE = "models/tan_cnn_gru"
FIRST_CHANNELS = 7
GRU_ROWS, GRU_SIZE = 16, 64  # frequency rows that the GRU reads in a step, and its outputs
BANDS = (246, 261)  # the least and the most that leave GRU_ROWS
LEAST_FRAMES = 6

SIGNATURE = "bgru2d_4_1.weight_ih_l0"
ASSUMED = ("channel_dropout", "step_dropout", "deshuffle", "head_silu")
PUBLISHED = {"channel_dropout": 0.3, "step_dropout": 0.5, "deshuffle": True, "head_silu": True}


class Widths(NamedTuple):
    """Channels of the four stages after the first."""

    pooled: int
    expanded: int
    twice_expanded: int
    steps: int


def build(
    input_shape: Sequence[int],
    classes: int,
    foldable: bool = False,
    *,
    width: Annotated[int, Allowed(1)],
    multiplier: float,
    expansion: int,
    divisor: float,
    channel_dropout: Annotated[float, Allowed(0, 1)],
    step_dropout: Annotated[float, Allowed(0, 1)],
    deshuffle: bool = True,
    head_silu: bool = True,
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels), 246 to 261 bands and at least 6 frames.
        classes: Number of classes.
        foldable: Whether batch norm comes before the subsampling of the convolution of unequal strides, as
            quantisation needs; otherwise after it, as in the original. Weights, names and outputs are the same.
        width: Channels of the first stage, a multiple of 4; published as 24.
        multiplier: Channels after the first poolings are int(width * multiplier); published as 1.5.
        expansion: Factor of the channels in each of the next two stages; published as 2.
        divisor: The GRU has int(width * multiplier * expansion^2 / divisor) steps; published as 5.
        channel_dropout: Share of the whole channels dropped before the last convolution; published as 0.3.
        step_dropout: Share of the GRU's steps dropped; published as 0.5.
        deshuffle: Whether channels are rearranged twice, as in submission 1; submission 2 does not.
        head_silu: Whether SiLU precedes the last layer, as in submission 1; it does not in submission 2.

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, steps) is the output of the layer
        "embedding".

    Raises:
        UserError: A setting is out of range, or the input has other bands or too few frames.
    """
    _check_input(checked_input(WHERE, input_shape, classes))
    widths = _widths(width, multiplier, expansion, divisor)
    _check(width, widths, channel_dropout, step_dropout)
    inputs = keras.Input(input_shape, name="spectrogram")
    x = _first_stage(inputs, width, deshuffle)
    pools = [layers.MaxPooling2D(2, name="max_pool_1")(x), layers.AveragePooling2D(2, name="average_pool_1")(x)]
    branches = [_branch(pool, number, widths) for number, pool in enumerate(pools, start=1)]
    x = PoolsMixing(name="mixing")(
        [
            kind(2, name=f"{name}_pool_2_{number}")(branch)
            for kind, name in ((layers.AveragePooling2D, "average"), (layers.MaxPooling2D, "max"))
            for number, branch in enumerate(branches, start=1)
        ]
    )
    x = _last_stage(x, widths, channel_dropout, deshuffle, foldable)
    x = _head(x, step_dropout, "silu" if head_silu else "linear")
    return keras.Model(inputs, dense(x, "conv1d_5_2", classes), name="tan_cnn_gru")


def _first_stage(x, width, deshuffle):
    """To (batch, bands, frames, width)."""
    x = _normalised(convolved(x, "conv2d_1_0_0", FIRST_CHANNELS, (3, 3)), "conv2d_1_0")
    x = _normalised(convolved(x, "conv2d_1_1_0", width // 2, (1, 1)), "conv2d_1_1")
    x = shuffled(x, "cs_1", width // 4) if deshuffle else x
    x = _normalised(depthwise(x, "codw2d_1L1_0", (3, 1), multiplier=2), "codw2d_1L1")
    x = _normalised(convolved(x, "codw2d_1R1_0", width, (1, 3), groups=width // 2), "codw2d_1R1")
    return _squeeze_and_excitation(_silu(x, "codw2d_1R1"), "se_1_1")


def _branch(x, number, widths):
    """From a pooling of the first stage to (batch, bands / 4, frames / 4, expanded)."""
    multiplier = widths.expanded // widths.pooled
    x = _normalised(convolved(x, f"conv2d_2_{number}_0", widths.pooled, (1, 1)), f"conv2d_2_{number}")
    left, right = (f"codw2d_2_{number}{side}" for side in "LR")
    x = _normalised(depthwise(x, f"{left}_0", (5, 1), multiplier=multiplier), left)
    x = _silu(_normalised(depthwise(x, f"{right}_0", (1, 5), stride=2), right), right)
    return _squeeze_and_excitation(x, f"se_2_{number}")


def _last_stage(x, widths, channel_dropout, deshuffle, foldable):
    """To (batch, GRU_ROWS, frames / 8, steps)."""
    inner = _normalised(convolved(x, "conv2d_3_1_0", widths.expanded, (1, 1)), "conv2d_3_1")
    x = layers.Add(name="conv2d_3_1_add")([inner, x])
    x = shuffled(x, "cs_3", widths.expanded // 2) if deshuffle else x
    x = _halved_bands(x, "codw2d_3_1", widths.twice_expanded // widths.expanded, foldable)
    x = layers.SpatialDropout2D(channel_dropout, name="codw2d_3_1_dropout")(_silu(x, "codw2d_3_1"))
    return _silu(_normalised(convolved(x, "conv2d_4_1_0", widths.steps, (5, 1)), "conv2d_4_1"), "conv2d_4_1")


def _halved_bands(x, name, multiplier, foldable):
    """5x1 depthwise convolution of stride (2, 1) and batch norm."""
    # TensorFlow's CPU kernel refuses unequal strides: stride 1 and an exact subsampling do the same.
    x = depthwise(x, f"{name}_0", (5, 1), multiplier=multiplier, padded=True)
    return subsampled(x, name, (2, 1), lambda y: _normalised(y, name), foldable=foldable)


def _head(x, step_dropout, activation):
    """Mean over time, then over frequency: of the values, and of a GRU's outputs, the channels its steps."""
    rows, steps = x.shape[1], x.shape[3]
    means = layers.Reshape((rows, steps), name="conv2d_4_1_rows")(AxisMean("time", name="conv2d_4_1_mean")(x))
    sequence = layers.Permute((2, 1), name="bgru2d_4_1_input")(means)  # (batch, steps, rows)
    bound = GRU_SIZE**-0.5
    initializers = [keras.initializers.RandomUniform(-bound, bound) for _ in range(3)]
    outputs = layers.GRU(
        GRU_SIZE,
        return_sequences=True,
        reset_after=True,
        unroll=True,  # TFLite has no GRU
        kernel_initializer=initializers[0],
        recurrent_initializer=initializers[1],
        bias_initializer=initializers[2],
        name="bgru2d_4_1",
    )(sequence)
    outputs = layers.Dropout(step_dropout, noise_shape=(None, steps, 1), name="bgru2d_4_1_dropout")(outputs)
    return layers.Activation(activation, name="embedding")(MeansMixing(name="head_mixing")([sequence, outputs]))


def _normalised(x, name):
    return BatchNormalization(**BATCH_NORM, name=f"{name}_1")(x)


def _silu(x, name):
    return layers.Activation("silu", name=f"{name}_silu")(x)


def _squeeze_and_excitation(x, name):
    """Each channel times a weight in 0..1, computed of the means of all channels."""
    channels = x.shape[-1]
    weights = dense(layers.GlobalAveragePooling2D(name=f"{name}_mean")(x), f"{name}_fc1", channels // 2)
    weights = dense(layers.ReLU(name=f"{name}_relu")(weights), f"{name}_fc2", channels)
    weights = layers.Activation("sigmoid", name=f"{name}_sigmoid")(weights)
    return layers.Multiply(name=name)([x, layers.Reshape((1, 1, channels), name=f"{name}_weights")(weights)])


def _widths(width, multiplier, expansion, divisor):
    if min(width, multiplier, expansion, divisor) <= 0:
        values = f"width = {width}, multiplier = {multiplier}, expansion = {expansion}, divisor = {divisor}"
        raise UserError(f"{WHERE}: {values}; all must be above 0.")
    channels = width * multiplier
    expanded = (int(channels), int(channels * expansion), int(channels * expansion * expansion))
    return Widths(*expanded, int(channels * expansion * expansion / divisor))


def _check(width, widths, channel_dropout, step_dropout):
    if width % 4:
        raise UserError(f"{WHERE}: width = {width}; it must be a multiple of 4: half of it is shuffled in pairs.")
    first, second, third, steps = widths
    if not first or second % first or third % second or second % 2:
        rule = "each must be a multiple of the one before, and the second even"
        raise UserError(f"{WHERE}: multiplier and expansion give {first}, {second} and {third} channels; {rule}.")
    if not steps:
        raise UserError(f"{WHERE}: divisor leaves no channels for the GRU; it must be at most {third}.")
    if not all(0 <= rate < 1 for rate in (channel_dropout, step_dropout)):
        rates = f"channel_dropout = {channel_dropout}, step_dropout = {step_dropout}"
        raise UserError(f"{WHERE}: {rates}; both must be from 0 to below 1.")


def _check_input(input_shape):
    bands, frames, _ = input_shape
    if not BANDS[0] <= bands <= BANDS[1]:
        rule = f"it must have {BANDS[0]} to {BANDS[1]}, of which the {GRU_ROWS} rows of the GRU are left"
        raise UserError(f"{WHERE}: the input has {bands} bands; {rule}.")
    if frames < LEAST_FRAMES:
        raise UserError(f"{WHERE}: the input has {frames} frames; it must have at least {LEAST_FRAMES}.")


def torch_name(layer: str, **_: object) -> str:
    """Name of a layer's module in the original, underscores for dots; "" where its weights have no module.

    Args:
        layer: Name of the layer.
        **_: Settings of `build`, on which the names do not depend.
    """
    return "" if layer in ("mixing", "head_mixing") else layer


def guess(shapes: Shapes) -> Guess:
    """Settings of a state dict of the CNN-GRU.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A tensor of the network is missing, or no settings give these channels.
    """
    width = shapes["codw2d_1L1.0.weight"][0]
    keys = ("conv2d_2_1", "conv2d_3_1", "codw2d_3_1", "conv2d_4_1")
    channels = [shapes[f"{key}.0.weight"][0] for key in keys]
    expansion = channels[1] // channels[0]
    # The shortest decimal numbers: the multiplier from above its least value, the divisor from below its largest.
    for digits in range(8):
        multiplier = -(-channels[0] * 10**digits // width) / 10**digits
        product = width * multiplier * expansion * expansion
        for more in range(8):
            divisor = int(product / channels[3] * 10**more) / 10**more
            if divisor and _widths(width, multiplier, expansion, divisor) == Widths(*channels):
                settings = {"width": width, "multiplier": multiplier, "expansion": expansion, "divisor": divisor}
                return Guess(shapes["conv1d_5_2.weight"][0], settings | PUBLISHED)
    raise LookupError(f"no multiplier and divisor give {channels} channels of {width}")
