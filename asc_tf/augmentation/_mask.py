"""Which cells does a mask along one axis hide?

Source: torchaudio.functional.mask_along_axis_iid, torchaudio 0.12 and later.
"""

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError

BANDS, FRAMES = 1, 2


def drawn(mel, seed, *, axis, most, fill, each, p):
    """mel (batch, bands, frames, channels) with one mask along an axis: v ~ U(0, most), start ~ U(0, size - v).

    The cells floor(start) ... floor(start) + floor(v) - 1 become `fill`, so at most `most` - 1 of them.
    each: "channel", "clip" or "batch" has its own mask.   p: share of the masks that are applied.
    """
    count, _, _, channels = tf.unstack(tf.shape(mel))
    shape = {"channel": [count, channels], "clip": [count, 1], "batch": [1, 1]}[each]
    width_seed, start_seed, hit_seed = _draws.split(seed, 3)
    width = _draws.uniform(shape, width_seed, 0.0, most)
    start = tf.floor(_draws.uniform(shape, start_seed) * (mel.shape[axis] - width))
    width = tf.where(_draws.uniform(shape, hit_seed) < p, tf.floor(width), 0.0)
    return mask(mel, start, width, axis=axis, fill=fill)


def mask(mel, start, width, *, axis, fill):
    """mel with cells start ... start + width - 1 along the axis set to `fill`; both (batch or 1, channels or 1)."""
    place = tf.reshape(tf.range(mel.shape[axis], dtype=start.dtype), [-1 if a == axis else 1 for a in range(4)])
    start, width = start[:, None, None, :], width[:, None, None, :]
    hidden = (place >= start) & (place < start + width)
    return tf.where(hidden, tf.cast(fill, mel.dtype), mel)


def check(part, cells, most, size, p):
    """UserError unless the widest mask fits into the `size` cells, "bands" or "frames", and p is a share."""
    _draws.check_share(part, p)
    if not 0 <= most <= size:
        raise UserError(f"augmentation/{part}: max_{cells} = {most} must be from 0 to the {size} {cells}.")
