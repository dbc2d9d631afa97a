"""Where in the second does the sound begin? Rolls every clip around by a random shift.

Source: CP-JKU 2023 (4,000 samples at 32 kHz), jku2024 (0.1 s).
"""

import tensorflow as tf

from asc_tf.errors import UserError

ON = "wave"


def apply(batch, seed, sample_rate_hz, *, max_shift_s: float):
    """Circular shift by a whole number of samples, uniform in [-max, max], one draw a clip."""
    if max_shift_s < 0:
        raise UserError(f"augmentation/time_roll: max_shift_s = {max_shift_s} must not be negative.")
    limit = round(max_shift_s * sample_rate_hz)
    count = tf.shape(batch["wave"])[0]
    shifts = tf.random.stateless_uniform([count], seed, -limit, limit + 1, tf.int32)
    return batch | {"wave": roll(batch["wave"], shifts)}


def roll(wave, shifts):
    """wave (batch, samples) with wave[i, n] moved to n + shifts[i], around the end."""
    samples = tf.shape(wave)[1]
    source = (tf.range(samples)[None, :] - shifts[:, None]) % samples
    return tf.gather(wave, source, batch_dims=1)
