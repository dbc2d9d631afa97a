"""EfficientNet with the attention pooling of PSLA, for spectrograms.

Source:  Gong et al., "PSLA: Improving audio tagging with pretraining, sampling, labeling, and aggregation", 2021
         (github.com/YuanGongND/psla), on the EfficientNet of efficientnet_pytorch 0.7.1.
Input:   (bands, frames, channels); the original takes 128 bands.   Output: (classes,) scores.
Size:    b2, one channel: 10 classes, 4 heads: 7,813,142 parameters, 1 head: 7,728,598, mean: 7,714,508;
         527 classes, 4 heads: 13,640,766.
Equal:   to efficientnet_pytorch in single precision: 4e-5 to 6e-5 of the scores' spread from its results in double
         precision, as its own in single (benchmarks/equal_to_torch.py).
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import keras
from keras import layers, ops

from asc_tf.checkpoints.guess import Guess, Shapes, count
from asc_tf.errors import UserError
from asc_tf.models import _efficientnet
from asc_tf.models._blocks import checked_input, make_divisible
from asc_tf.recipe.registry import Allowed

# A key that every state dict of the family has; settings that shapes do not show.
SIGNATURE = "effnet._conv_stem.weight"
ASSUMED = ("cla", "drop_connect")


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    size: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"],
    heads: int,
    cla: Literal["linear", "sigmoid"],
    drop_connect: Annotated[float, Allowed(0, 1)],
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels).
        classes: Number of classes.
        size: Scale of the EfficientNet, which decides channels, number of blocks and padding.
        heads: Number of heads of the attention over time, 4 in the published network; 0 for the mean.
        cla: Activation of every step's scores: "sigmoid" as published, whose outputs are scores in 0..1 for binary
            cross-entropy, or "linear", whose outputs are logits.
        drop_connect: Rate at which the block after the last is left out of a clip's training step, 0 to below 1; it
            rises linearly from 0 at the first block. efficientnet_pytorch has 0.2.

    Returns:
        A functional network to (batch, classes). The layer "avgpool" gives (batch, 1, steps, channels), the mean over
        the bands of the last features.

    Raises:
        UserError: A setting is out of range or the input too small.
    """
    shape = checked_input("models/efficientnet_psla", input_shape, classes)
    _check(shape, size, heads, drop_connect)
    inputs = keras.Input(shape, name="spectrogram")
    x = _efficientnet.features(inputs, size, drop_connect)
    x = layers.AveragePooling2D((x.shape[1], 1), name="avgpool")(x)
    return keras.Model(inputs, _pooled(x, classes, heads, cla), name="efficientnet_psla")


def _pooled(x, classes, heads, cla):
    """(batch, classes) of x (batch, 1, steps, channels): weighted means of the scores of every step."""

    def scores(part, activation):
        names = [f"attention_{part}_{head}" for head in range(heads)] if heads > 1 else [f"attention_{part}"]
        return [
            layers.Conv2D(classes, 1, activation=activation, kernel_initializer="he_uniform", name=name)(x)
            for name in names
        ]

    if not heads:
        return layers.GlobalAveragePooling2D(name="attention")(scores("cla", cla)[0])
    return AttentionPooling(heads, name="attention")([*scores("att", "sigmoid"), *scores("cla", cla)])


def _check(shape, size, heads, drop_connect):
    where = "models/efficientnet_psla"
    if heads < 0:
        raise UserError(f"{where}: heads = {heads}; it must be 0, for the mean, or more.")
    if not 0 <= drop_connect < 1:
        raise UserError(f"{where}: drop_connect = {drop_connect}; it must be 0 to below 1.")
    least = _efficientnet.smallest_input(size)
    if min(shape[:2]) < least:
        bands, frames = shape[:2]
        raise UserError(
            f"{where}: the input has {bands} bands x {frames} frames; it must be at least {least} x {least}."
        )


def guess(shapes: Shapes) -> Guess:
    """Settings that fit a state dict; the published `cla` is "sigmoid", the library's drop_connect 0.2.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: No size has these channels and blocks.
    """
    number = count(shapes, "effnet._blocks.{}._depthwise_conv.weight")
    channels = shapes["effnet._conv_head.weight"][0]
    for size, scale in _efficientnet.SCALES.items():
        width = make_divisible(_efficientnet.HEAD_CHANNELS * scale.width)
        if (width, len(_efficientnet.blocks(size)[1])) == (channels, number):
            heads = count(shapes, "attention.att.{}.weight") or int("attention.att.weight" in shapes)
            classes = shapes["attention.cla.0.weight" if heads > 1 else "attention.cla.weight"][0]
            return Guess(classes, {"size": size, "heads": heads, "cla": "sigmoid", "drop_connect": 0.2})
    raise ValueError(f"no size has {number} blocks and {channels} channels at the end")


@keras.saving.register_keras_serializable(package="asc_tf")
class AttentionPooling(layers.Layer):
    """Means over time of the scores of every step, weighted by a class's attention, and their sum over the heads.

    Source: Gong et al., PSLA, 2021: MHeadAttention, and Attention for one head, which has no weight.

    Args:
        heads: Number of heads.
        name: Of the layer.
        trainable: Whether the weights of the heads are trained.
        dtype: Of the computation.
    """

    def __init__(self, heads: int, *, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.heads = heads

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Creates head_weight, (heads,), where there are several heads."""
        start = keras.initializers.Constant(1 / self.heads)
        if self.heads > 1:
            self.head_weight = self.add_weight(shape=(self.heads,), initializer=start, name="head_weight")

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """(batch, classes).

        Args:
            inputs: The attentions of all heads, in 0..1, then the scores of all heads, (batch, 1, steps, classes) each.
        """
        values = [ops.cast(x[:, 0], "float32") for x in inputs]  # 1e-7 is beyond float16
        pooled = []
        for attention, scores in zip(values[: self.heads], values[self.heads :], strict=True):
            attention = ops.clip(attention, 1e-7, 1 - 1e-7)  # (batch, steps, classes)
            shares = attention / ops.sum(attention, axis=1, keepdims=True)
            pooled.append(ops.sum(shares * scores, axis=1))
        if self.heads == 1:
            return ops.cast(pooled[0], self.compute_dtype)
        weights = ops.cast(self.head_weight, "float32")
        return ops.cast(ops.einsum("hbc,h->bc", ops.stack(pooled), weights), self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[Sequence[int | None]]) -> tuple[int | None, int | None]:
        """(batch, classes)."""
        return input_shape[0][0], input_shape[0][-1]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"heads": self.heads}
