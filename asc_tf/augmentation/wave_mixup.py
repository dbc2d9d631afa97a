"""What if two scenes sound at once? Mixes waves of clip pairs, and what is true of them alike.

Source: PaSST's and EfficientAT's training code (rate 0.5, Beta(2, 2)): both waves without their means, a share a clip,
        the larger of b and 1 - b. AST mixes waves at rate 0.5 with Beta(10, 10). There the other clip is any of
        the dataset; here pairs are one permutation of the clips augmented together (at most 64).
"""

import tensorflow as tf

from asc_tf.augmentation import _draws, _mixing, mixup

ON = "wave"


def apply(batch, seed, sample_rate_hz, *, p: float, alpha: float):
    """With probability p, one draw a clip, the clip keeps a share of at least a half and gets the rest of another."""
    _draws.check_share("wave_mixup", p)
    _draws.check_positive("wave_mixup", "alpha", alpha)
    wave = batch["wave"]
    pairs, share = mixup.drawn(tf.shape(wave)[0], seed, alpha=alpha, p=p)
    mixed = _mixing.clips(wave - tf.reduce_mean(wave, 1, keepdims=True), pairs, share)
    return _mixing.targets(batch, pairs, share) | {"wave": tf.where(share[:, None] < 1, mixed, wave)}
