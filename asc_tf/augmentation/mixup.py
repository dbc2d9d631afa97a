"""What lies between two scenes? Mixes spectrograms of clip pairs, and what is true of them alike.

Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018; as executed by CP-JKU 2022/23: a share a
        clip, the larger of b and 1 - b for b ~ Beta(alpha, alpha), one permutation of the batch. alpha = 0.3.
"""

import tensorflow as tf

from asc_tf.augmentation import _draws, _mixing

ON = "mel"


def apply(batch, seed, *, alpha: float, p: float = 1.0):
    """With probability p, one draw a clip, the clip keeps a share of at least a half and gets the rest of another.

    Mixing is linear: [normalise] may follow it.
    """
    _draws.check_share("mixup", p)
    _draws.check_positive("mixup", "alpha", alpha)
    count = tf.shape(batch["mel"])[0]
    pairs, share = drawn(count, seed, alpha=alpha, p=p)
    return _mixing.targets(batch, pairs, share) | {"mel": _mixing.clips(batch["mel"], pairs, share)}


def drawn(count, seed, *, alpha, p):
    """(count,) other clips and (count,) shares of the clip itself, in [0.5, 1]; 1 where it is not mixed."""
    hit_seed, share_seed, pair_seed = _draws.split(seed, 3)
    own = _draws.beta([count], share_seed, alpha)
    share = tf.where(_draws.uniform([count], hit_seed) < p, tf.maximum(own, 1 - own), 1.0)
    return _draws.permutation(count, pair_seed), share
