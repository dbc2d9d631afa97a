"""What if another device's colour lay over this scene? Mixes the band statistics of clip pairs.

Source: Schmid et al., DCASE 2022 (Freq-MixStyle); the formula as executed in cpjku_dcase23.
"""

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError

ON = "mel"


def apply(batch, seed, *, p: float, alpha: float):
    """With probability p, one draw a batch, every clip takes part of another clip's mean and deviation per band.

    The share is Beta(alpha, alpha), one draw a clip; the pairs are one permutation of the batch.
    """
    _draws.check_share("freq_mixstyle", p)
    if alpha <= 0:
        raise UserError(f"augmentation/freq_mixstyle: alpha = {alpha} must be above 0.")
    chance, share_seed, pair_seed = _draws.split(seed, 3)
    mel = batch["mel"]
    count = tf.shape(mel)[0]

    def mixed():
        share = _draws.beta([count, 1, 1, 1], share_seed, alpha)
        return mix(mel, tf.random.experimental.stateless_shuffle(tf.range(count), pair_seed), share)

    return batch | {"mel": tf.cond(_draws.uniform([], chance) < p, mixed, lambda: mel)}


def mix(mel, pairs, share):
    """mel (batch, bands, frames, channels) restyled towards mel[pairs], keeping `share` (batch, 1, 1, 1) of its own.

    Statistics per clip and band over frames and channels; the variance is the unbiased one, plus 1e-6.
    """
    cells = tf.cast(tf.shape(mel)[2] * tf.shape(mel)[3], mel.dtype)
    mean = tf.reduce_mean(mel, (2, 3), keepdims=True)
    variance = tf.reduce_sum((mel - mean) ** 2, (2, 3), keepdims=True) / (cells - 1)
    deviation = tf.sqrt(variance + 1e-6)
    mixed_mean = share * mean + (1 - share) * tf.gather(mean, pairs)
    mixed_deviation = share * deviation + (1 - share) * tf.gather(deviation, pairs)
    return (mel - mean) / deviation * mixed_deviation + mixed_mean
