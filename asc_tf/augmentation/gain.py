"""Random gain in decibels for every clip.

Source: EfficientAT's and PaSST's training code: 12 dB, in whole decibels from -12 to 11. Nothing is clipped.
"""

from typing import Annotated

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError
from asc_tf.recipe.registry import Allowed

ON = "wave"


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    sample_rate_hz: int,
    *,
    max_db: Annotated[float, Allowed(0)],
    mean_db: float = 0.0,
    whole_db: bool = False,
    p: Annotated[float, Allowed(0, 1)] = 1.0,
) -> dict[str, tf.Tensor]:
    """Multiplies a clip, with probability p, by 10^(g / 20), g ~ mean_db + U(-max_db, max_db).

    Args:
        batch: See the package.
        seed: (2,) int32.
        sample_rate_hz: Without effect.
        max_db: Half of the range of gains, at least 0.
        mean_db: Middle of the range; below 0 where a device's recordings are quieter than these.
        whole_db: g is rounded down to a whole number, as in the released code.
        p: Probability for each clip.

    Returns:
        The batch with another "wave".

    Raises:
        UserError: A setting out of range.
    """
    _draws.check_share("gain", p)
    if max_db < 0:
        raise UserError(f"augmentation/gain: max_db = {max_db} must not be negative.")
    hit_seed, gain_seed = _draws.split(seed, 2)
    count = [tf.shape(batch["wave"])[0], 1]
    gain_db = mean_db + _draws.uniform(count, gain_seed, -max_db, max_db)
    if whole_db:
        gain_db = tf.floor(gain_db)
    gain_db = tf.where(_draws.uniform(count, hit_seed) < p, gain_db, 0.0)
    return batch | {"wave": batch["wave"] * 10 ** (gain_db / 20)}
