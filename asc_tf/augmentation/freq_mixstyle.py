"""Mixture of the band statistics of clip pairs, for generalisation to other devices (Freq-MixStyle).

Source: Schmid et al., DCASE 2022 (Freq-MixStyle); the formula as executed in cpjku_dcase23.
        p / alpha: jku2024 0.6 / 0.4 (its CP-ResNet 0.7 / 0.6, PaSST 0.4 / 0.4), irmamba2024 0.4 / 0.3,
        DCASE 2024 baseline 0.4 / 0.3, CP-JKU 2022 0.6 / 0.3. One report sums over bands too: a slip of the pen.
"""

from typing import Annotated

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.recipe.registry import Allowed

ON = "mel"


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    *,
    p: Annotated[float, Allowed(0, 1)],
    alpha: Annotated[float, Allowed(1e-9)],
) -> dict[str, tf.Tensor]:
    """Mixes, with probability p, one draw a batch, every clip's mean and std per band with those of another clip.

    The share is Beta(alpha, alpha), one draw a clip; the pairs are one permutation of the batch. Labels stay.
    Scaling the spectrogram before or after is the same, but for the 1e-6: [normalise] may follow it.

    Args:
        batch: See the package.
        seed: (2,) int32.
        p: Probability for the batch.
        alpha: Of the Beta distribution, above 0.

    Returns:
        The batch with another "mel".

    Raises:
        UserError: A setting out of range.
    """
    _draws.check_share("freq_mixstyle", p)
    _draws.check_positive("freq_mixstyle", "alpha", alpha)
    hit_seed, share_seed, pair_seed = _draws.split(seed, 3)
    mel = batch["mel"]
    count = tf.shape(mel)[0]

    def mixed():
        return mix(mel, _draws.permutation(count, pair_seed), _draws.beta([count, 1, 1, 1], share_seed, alpha))

    return batch | {"mel": tf.cond(_draws.uniform([], hit_seed) < p, mixed, lambda: mel)}


def mix(mel: tf.Tensor, pairs: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Replaces mean and std of each clip and band by their mixture with those of mel[pairs].

    Args:
        mel: (batch, bands, frames, channels).
        pairs: (batch,) indices of the other clips.
        share: (batch, 1, 1, 1), weight of the clip's statistics, from 0 to 1.

    Returns:
        The shape of mel. Statistics are over frames and channels; the variance is the unbiased one, plus 1e-6.
    """
    cells = tf.cast(tf.shape(mel)[2] * tf.shape(mel)[3], mel.dtype)
    mean = tf.reduce_mean(mel, (2, 3), keepdims=True)  # (batch, bands, 1, 1)
    centred = mel - mean
    variance = tf.reduce_sum(centred**2, (2, 3), keepdims=True) / (cells - 1)
    std = tf.sqrt(variance + 1e-6)
    mixed_mean = share * mean + (1 - share) * tf.gather(mean, pairs)
    mixed_std = share * std + (1 - share) * tf.gather(std, pairs)
    return centred * (mixed_std / std) + mixed_mean
