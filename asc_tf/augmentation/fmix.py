"""Replacement of a random low-frequency region of the spectrogram by another clip's (FMix).

Source: Harris et al., "FMix: Enhancing Mixed Sample Data Augmentation", 2020; alpha = 1, decay = 3.
        The released code takes real and imaginary part along the wrong axis of its noise: its masks vary almost
        along time alone, in one period. The formula's vary mainly along the bands. `as_released` chooses the former.
"""

from typing import Annotated

import numpy as np
import tensorflow as tf

from asc_tf.augmentation import _draws, _mixing
from asc_tf.recipe.registry import Allowed

ON = "mel"


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    *,
    alpha: Annotated[float, Allowed(1e-9)],
    decay: float,
    as_released: bool = False,
    p: Annotated[float, Allowed(0, 1)] = 1.0,
) -> dict[str, tf.Tensor]:
    """Replaces, with probability p, one draw a batch, the cells outside one mask by those of another clip.

    The mask covers a share of Beta(alpha, alpha) of the cells, one draw a batch, which is also the share of the
    targets; the pairs are one permutation.

    Args:
        batch: See the package.
        seed: (2,) int32.
        alpha: Of the Beta distribution, above 0.
        decay: Noise whose amplitude falls as frequency^-decay shapes the mask.
        as_released: The mask of the released code instead of the formula's.
        p: Probability for the batch.

    Returns:
        The batch with another "mel" and the targets of its mixture, see _mixing.

    Raises:
        UserError: A setting out of range.
    """
    _draws.check_share("fmix", p)
    _draws.check_positive("fmix", "alpha", alpha)
    hit_seed, share_seed, noise_seed, round_seed, pair_seed = _draws.split(seed, 5)
    mel = batch["mel"]
    count, bands, frames = tf.shape(mel)[0], mel.shape[1], mel.shape[2]
    share = tf.where(_draws.uniform([], hit_seed) < p, _draws.beta([], share_seed, alpha), 1.0)
    cells = share * bands * frames
    cells = tf.where(_draws.uniform([], round_seed) < 0.5, tf.math.ceil(cells), tf.floor(cells))
    mask = largest(image(noise_seed, bands, frames, decay, as_released), tf.cast(cells, tf.int32))
    pairs = _draws.permutation(count, pair_seed)
    mixed = tf.where(mask[None, :, :, None], mel, tf.gather(mel, pairs))
    return _mixing.mixed_targets(batch, pairs, tf.fill([count], share)) | {"mel": mixed}


def image(seed: tf.Tensor, bands: int, frames: int, decay: float, as_released: bool = False) -> tf.Tensor:
    """Noise with an amplitude of frequency^-decay, at least one period a longer side.

    Args:
        seed: (2,) int32.
        bands: Height.
        frames: Width.
        decay: Exponent.
        as_released: Real and imaginary part along the wrong axis, as the released code takes them.

    Returns:
        (bands, frames) float32.
    """
    amplitude = tf.constant(spectrum(bands, frames, decay), tf.float32)
    noise = amplitude[:, :, None] * tf.random.stateless_normal([*amplitude.shape, 2], seed)
    if as_released:
        return tf.signal.irfft2d(_wrong_axis(noise, bands, frames), [bands, frames])
    return tf.signal.irfft2d(tf.complex(noise[..., 0], noise[..., 1]), [bands, frames])


def spectrum(bands: int, frames: int, decay: float) -> np.ndarray:
    """(bands, frames // 2 + 1) float64: amplitudes frequency^-decay of the real Fourier transform of an image."""
    along_bands, along_frames = np.fft.fftfreq(bands)[:, None], np.fft.rfftfreq(frames)[None]
    frequency = np.sqrt(along_bands**2 + along_frames**2)
    return np.maximum(frequency, 1 / max(bands, frames)) ** -decay


def largest(image: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """(bands, frames) bool: the `count` largest values of an image (bands, frames)."""
    order = tf.argsort(tf.reshape(image, [-1]), direction="DESCENDING")
    rank = tf.scatter_nd(order[:, None], tf.range(tf.size(order)), [tf.size(order)])
    return tf.reshape(rank < count, image.shape)


def _wrong_axis(noise, bands, frames):
    """The first two rows of the noise as real and imaginary part of a spectrum of two columns."""
    columns = tf.complex(noise[0], noise[1])[:bands]
    return tf.pad(columns, [[0, bands - columns.shape[0]], [0, frames // 2 - 1]])
