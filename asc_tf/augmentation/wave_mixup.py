"""Mixup of waves in clip pairs, and of their targets alike.

Source: PaSST's and EfficientAT's training code (rate 0.5, Beta(2, 2)): both waves without their means, a share a clip,
        the larger of b and 1 - b. AST mixes waves at rate 0.5 with Beta(10, 10). There the other clip is any of
        the dataset; here pairs are one permutation of the clips augmented together (at most 64).
"""

from typing import Annotated

import tensorflow as tf

from asc_tf.augmentation import _draws, _mixing, mixup
from asc_tf.recipe.registry import Allowed

ON = "wave"


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    sample_rate_hz: int,
    *,
    p: Annotated[float, Allowed(0, 1)],
    alpha: Annotated[float, Allowed(1e-9)],
) -> dict[str, tf.Tensor]:
    """Mixes a clip, with probability p, with another one, which gets a share of at most a half.

    Args:
        batch: See the package.
        seed: (2,) int32.
        sample_rate_hz: Without effect.
        p: Probability for each clip.
        alpha: Of the Beta distribution, above 0.

    Returns:
        The batch with another "wave" and the targets of its mixture, see _mixing.

    Raises:
        UserError: A setting out of range.
    """
    _draws.check_share("wave_mixup", p)
    _draws.check_positive("wave_mixup", "alpha", alpha)
    wave = batch["wave"]
    pairs, share = mixup.draw_pairs(tf.shape(wave)[0], seed, alpha=alpha, p=p)
    mixed = _mixing.mixed(wave - tf.reduce_mean(wave, 1, keepdims=True), pairs, share)
    return _mixing.mixed_targets(batch, pairs, share) | {"wave": tf.where(share[:, None] < 1, mixed, wave)}
