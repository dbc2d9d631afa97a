"""What if a range of bands is missing? Masks one band range in every clip.

Source: torchaudio FrequencyMasking(max_bands, iid_masks=True) as the DCASE 2024 baseline calls it on
        the linear mel, where 0 is silence: on the log-mel the mask is filled with the floor's logarithm.
"""

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError

ON = "mel"


def apply(batch, seed, *, max_bands: int, fill: float):
    """Sets floor(v) bands from floor(start) to `fill`: v ~ U(0, max_bands), start ~ U(0, bands - v) a clip."""
    count, bands = tf.shape(batch["mel"])[0], batch["mel"].shape[1]
    if not 0 <= max_bands <= bands:
        raise UserError(f"augmentation/freq_mask: max_bands = {max_bands} must be from 0 to the {bands} bands.")
    width_seed, start_seed = _draws.split(seed, 2)
    width = _draws.uniform([count], width_seed, 0.0, max_bands)
    start = tf.floor(_draws.uniform([count], start_seed) * (bands - width))
    return batch | {"mel": mask(batch["mel"], start, tf.floor(width), fill)}


def mask(mel, start, width, fill):
    """mel (batch, bands, frames, 1) with bands start[i] ... start[i] + width[i] - 1 set to `fill`."""
    band = tf.range(mel.shape[1], dtype=start.dtype)[None, :]
    hidden = (band >= start[:, None]) & (band < (start + width)[:, None])
    return tf.where(hidden[:, :, None, None], tf.cast(fill, mel.dtype), mel)
