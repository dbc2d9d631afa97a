"""White noise of a random level, added to every clip.

Source: none of the published systems; usual in speech recognition. Recordings that were assembled in a studio hold
        digital silence, which no microphone gives: log-mels at their floor, all alike.
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
    min_dbfs: float,
    max_dbfs: float,
    p: Annotated[float, Allowed(0, 1)] = 1.0,
) -> dict[str, tf.Tensor]:
    """Adds to a clip, with probability p, Gaussian noise of an RMS of 10^(g / 20), g ~ U(min_dbfs, max_dbfs).

    Args:
        batch: See the package.
        seed: (2,) int32.
        sample_rate_hz: Without effect.
        min_dbfs: Lowest level in decibels relative to an RMS of 1.
        max_dbfs: Highest level, at most 0.
        p: Probability for each clip.

    Returns:
        The batch with another "wave".

    Raises:
        UserError: A setting out of range.
    """
    _draws.check_share("noise", p)
    if not min_dbfs <= max_dbfs <= 0:
        raise UserError(f"augmentation/noise: min_dbfs = {min_dbfs} and max_dbfs = {max_dbfs} must rise, to 0 at most.")
    hit_seed, level_seed, noise_seed = _draws.split(seed, 3)
    wave = batch["wave"]
    count = [tf.shape(wave)[0], 1]
    level = 10 ** (_draws.uniform(count, level_seed, min_dbfs, max_dbfs) / 20)
    level = tf.where(_draws.uniform(count, hit_seed) < p, level, 0.0)
    return batch | {"wave": wave + level * tf.random.stateless_normal(tf.shape(wave), noise_seed)}
