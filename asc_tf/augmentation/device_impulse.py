"""Convolution with the impulse responses of other microphones (DIR).

Source: Morocutti et al., "Device-Robust Acoustic Scene Classification via Impulse Response
        Augmentation", EUSIPCO 2023 (p = 0.4); as executed in cpjku_dcase23 (p = 0.6): full linear convolution
        cut to the clip's length, responses resampled and not normalised, no delay or energy compensation; only
        clips of device a. jku2024: p = 0.6, CP-ResNet 0.7; its code resamples the responses to 32 kHz and
        applies them to waves of 44.1 kHz, which is not copied. irmamba2024: p = 0.6, min_energy = 323.
"""

from typing import Annotated

import tensorflow as tf

from asc_tf.augmentation import _draws, _impulse
from asc_tf.errors import UserError
from asc_tf.recipe.registry import Allowed

ON = "wave"


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    sample_rate_hz: int,
    *,
    p: Annotated[float, Allowed(0, 1)],
    folder: str,
    only_device: str = "",
    min_energy: float = 0.0,
) -> dict[str, tf.Tensor]:
    """Convolves each chosen clip, with probability p, with a random response.

    Args:
        batch: See the package.
        seed: (2,) int32.
        sample_rate_hz: Of the waves.
        p: Probability for each clip.
        folder: Of the impulse responses: any audio format, searched recursively, in sorted order; "built_in" for those
            of 24 made-up microphones.
        only_device: Only clips of this device are changed; "" for all.
        min_energy: Only clips above it are changed: the sum of x^2 over the clip's samples, full scale 1, so a second
            of an RMS of 0.1 has 320 at 32 kHz. irmamba2024 takes the mean over its training clips: measure yours.

    Returns:
        The batch with another "wave".

    Raises:
        UserError: A setting out of range, or a folder without usable responses.
    """
    _check(p, min_energy)
    responses = _impulse.responses("device_impulse", folder, sample_rate_hz)
    hit_seed, response_seed = _draws.split(seed, 2)
    wave = batch["wave"]
    count = tf.shape(wave)[0]
    hit = _draws.uniform([count], hit_seed) < p
    if only_device:
        hit &= batch["device"] == only_device
    if min_energy:
        hit &= tf.reduce_sum(wave**2, 1) > min_energy
    rows = tf.where(hit)  # (chosen clips, 1)
    indices = tf.gather(_draws.integers([count], response_seed, 0, len(responses)), rows[:, 0])
    convolved = _impulse.convolve(tf.gather(wave, rows[:, 0]), indices, responses)
    return batch | {"wave": tf.tensor_scatter_nd_update(wave, rows, convolved)}


def _check(p, min_energy):
    _draws.check_share("device_impulse", p)
    if min_energy < 0:
        raise UserError(f"augmentation/device_impulse: min_energy = {min_energy} must not be negative.")
