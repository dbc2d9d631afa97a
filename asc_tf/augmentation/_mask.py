"""Masks along one axis of a spectrogram.

Source: torchaudio.functional.mask_along_axis_iid, torchaudio 0.12 and later.
"""

from typing import Literal

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError

BANDS, FRAMES = 1, 2  # axes
Each = Literal["channel", "clip", "batch"]


def random_mask(
    mel: tf.Tensor, seed: tf.Tensor, *, axis: int, max_width: int, fill: float, each: Each, p: float
) -> tf.Tensor:
    """Masks floor(v) cells from floor(start), v ~ U(0, max_width), start ~ U(0, size - v): at most max_width - 1.

    Args:
        mel: (batch, bands, frames, channels).
        seed: (2,) int32.
        axis: BANDS or FRAMES.
        max_width: Above every drawn width.
        fill: Value of the masked cells.
        each: Every "channel", every "clip" or the whole "batch" draws one mask.
        p: Share of the masks that are applied.

    Returns:
        The masked mel.
    """
    count, _, _, channels = tf.unstack(tf.shape(mel))
    shape = {"channel": [count, channels], "clip": [count, 1], "batch": [1, 1]}[each]
    width_seed, start_seed, hit_seed = _draws.split(seed, 3)
    width = _draws.uniform(shape, width_seed, 0.0, max_width)
    start = tf.floor(_draws.uniform(shape, start_seed) * (mel.shape[axis] - width))
    width = tf.where(_draws.uniform(shape, hit_seed) < p, tf.floor(width), 0.0)
    return mask(mel, start, width, axis=axis, fill=fill)


def mask(mel: tf.Tensor, start: tf.Tensor, width: tf.Tensor, *, axis: int, fill: float) -> tf.Tensor:
    """Sets cells start ... start + width - 1 along an axis.

    Args:
        mel: (batch, bands, frames, channels).
        start: (batch or 1, channels or 1) float32, whole numbers.
        width: Of the same shape.
        axis: BANDS or FRAMES.
        fill: Value of the masked cells.

    Returns:
        The masked mel.
    """
    index = tf.reshape(tf.range(mel.shape[axis], dtype=start.dtype), [-1 if a == axis else 1 for a in range(4)])
    start, width = start[:, None, None, :], width[:, None, None, :]  # (batch, 1, 1, channels)
    masked = (index >= start) & (index < start + width)
    return tf.where(masked, tf.cast(fill, mel.dtype), mel)


def check(part: str, cells: str, max_width: int, size: int, p: float) -> None:
    """Raises UserError unless the widest mask fits into the `size` cells, "bands" or "frames", and p is a share."""
    _draws.check_share(part, p)
    if not 0 <= max_width <= size:
        raise UserError(f"augmentation/{part}: max_{cells} = {max_width} must be from 0 to the {size} {cells}.")
