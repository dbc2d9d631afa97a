"""Mixup of spectrograms in clip pairs, and of their targets alike.

Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018; as executed by CP-JKU 2022/23: a share a
        clip, the larger of b and 1 - b for b ~ Beta(alpha, alpha), one permutation of the batch. alpha = 0.3.
"""

from typing import Annotated

import tensorflow as tf

from asc_tf.augmentation import _draws, _mixing
from asc_tf.recipe.registry import Allowed

ON = "mel"


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    *,
    alpha: Annotated[float, Allowed(1e-9)],
    p: Annotated[float, Allowed(0, 1)] = 1.0,
) -> dict[str, tf.Tensor]:
    """Mixes a clip, with probability p, with another one, which gets a share of at most a half.

    Mixing is linear: [normalise] may follow it.

    Args:
        batch: See the package.
        seed: (2,) int32.
        alpha: Of the Beta distribution, above 0.
        p: Probability for each clip.

    Returns:
        The batch with another "mel" and the targets of its mixture, see _mixing.

    Raises:
        UserError: A setting out of range.
    """
    _draws.check_share("mixup", p)
    _draws.check_positive("mixup", "alpha", alpha)
    count = tf.shape(batch["mel"])[0]
    pairs, share = draw_pairs(count, seed, alpha=alpha, p=p)
    return _mixing.mixed_targets(batch, pairs, share) | {"mel": _mixing.mixed(batch["mel"], pairs, share)}


def draw_pairs(count: int | tf.Tensor, seed: tf.Tensor, *, alpha: float, p: float) -> tuple[tf.Tensor, tf.Tensor]:
    """The other clip of each pair, and the share of the clip itself.

    Args:
        count: Clips of the batch.
        seed: (2,) int32.
        alpha: Of the Beta distribution.
        p: Probability for each clip.

    Returns:
        (count,) int32 indices, a permutation; (count,) float32 in [0.5, 1], 1 where the clip is not mixed.
    """
    hit_seed, share_seed, pair_seed = _draws.split(seed, 3)
    draw = _draws.beta([count], share_seed, alpha)
    share = tf.where(_draws.uniform([count], hit_seed) < p, tf.maximum(draw, 1 - draw), 1.0)
    return _draws.permutation(count, pair_seed), share
