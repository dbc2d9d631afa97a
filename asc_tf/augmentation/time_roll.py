"""Circular shift of every clip by a random number of samples.

Source: CP-JKU 2023 (4,000 samples at 32 kHz), PaSST 2023 (10,000), jku2024 (0.1 s, its PaSST 0.125 s),
        irmamba2024 (0.15 s).
"""

from typing import Annotated

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError
from asc_tf.recipe.registry import Allowed

ON = "wave"


def apply(
    batch: dict[str, tf.Tensor], seed: tf.Tensor, sample_rate_hz: int, *, max_shift_s: Annotated[float, Allowed(0)]
) -> dict[str, tf.Tensor]:
    """Shifts each clip by a whole number of samples, uniform in [-max, max], around its end.

    Args:
        batch: See the package.
        seed: (2,) int32.
        sample_rate_hz: Of the waves.
        max_shift_s: Largest shift in seconds, at least 0.

    Returns:
        The batch with another "wave".

    Raises:
        UserError: A setting out of range.
    """
    if max_shift_s < 0:
        raise UserError(f"augmentation/time_roll: max_shift_s = {max_shift_s} must not be negative.")
    limit = round(max_shift_s * sample_rate_hz)
    shifts = _draws.integers([tf.shape(batch["wave"])[0]], seed, -limit, limit + 1)
    return batch | {"wave": roll(batch["wave"], shifts)}


def roll(wave: tf.Tensor, shifts: tf.Tensor) -> tf.Tensor:
    """Moves wave[i, n] to n + shifts[i], around the end.

    Every clip is cut in two pieces, which are swapped: a fifth of the cost of an index a sample.

    Args:
        wave: (batch, samples).
        shifts: (batch,) int32.

    Returns:
        (batch, samples).
    """
    count, samples = tf.unstack(tf.shape(wave))
    tail = shifts % samples
    lengths = tf.reshape(tf.stack([samples - tail, tail], 1), [-1])
    pieces = tf.RaggedTensor.from_row_lengths(tf.reshape(wave, [-1]), lengths, validate=False)
    swapped = tf.gather(pieces, tf.reshape(tf.range(2 * count), [count, 2])[:, ::-1])
    return tf.ensure_shape(tf.reshape(swapped.flat_values, [count, samples]), wave.shape)
