"""What if another device's colour lay over this scene? Mixes the band statistics of clip pairs.

Source: Schmid et al., DCASE 2022 (Freq-MixStyle); the formula as executed in cpjku_dcase23.
        p / alpha: jku2024 0.6 / 0.4 (its CP-ResNet 0.7 / 0.6, PaSST 0.4 / 0.4), irmamba2024 0.4 / 0.3,
        DCASE 2024 baseline 0.4 / 0.3, CP-JKU 2022 0.6 / 0.3. One report sums over bands too: a slip of the pen.
"""

import tensorflow as tf

from asc_tf.augmentation import _draws

ON = "mel"


def apply(batch, seed, *, p: float, alpha: float):
    """With probability p, one draw a batch, every clip takes part of another clip's mean and deviation per band.

    The share is Beta(alpha, alpha), one draw a clip; the pairs are one permutation of the batch. Labels stay.
    Scaling the spectrogram before or after is the same, but for the 1e-6: [normalise] may follow it.
    """
    _draws.check_share("freq_mixstyle", p)
    _draws.check_positive("freq_mixstyle", "alpha", alpha)
    chance, share_seed, pair_seed = _draws.split(seed, 3)
    mel = batch["mel"]
    count = tf.shape(mel)[0]

    def mixed():
        return mix(mel, _draws.permutation(count, pair_seed), _draws.beta([count, 1, 1, 1], share_seed, alpha))

    return batch | {"mel": tf.cond(_draws.uniform([], chance) < p, mixed, lambda: mel)}


def mix(mel, pairs, share):
    """mel (batch, bands, frames, channels) restyled towards mel[pairs], keeping `share` (batch, 1, 1, 1) of its own.

    Statistics per clip and band over frames and channels; the variance is the unbiased one, plus 1e-6.
    """
    cells = tf.cast(tf.shape(mel)[2] * tf.shape(mel)[3], mel.dtype)
    mean = tf.reduce_mean(mel, (2, 3), keepdims=True)
    centred = mel - mean
    variance = tf.reduce_sum(centred**2, (2, 3), keepdims=True) / (cells - 1)
    deviation = tf.sqrt(variance + 1e-6)
    mixed_mean = share * mean + (1 - share) * tf.gather(mean, pairs)
    mixed_deviation = share * deviation + (1 - share) * tf.gather(deviation, pairs)
    return centred * (mixed_deviation / deviation) + mixed_mean
