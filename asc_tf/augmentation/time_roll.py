"""Where in the second does the sound begin? Rolls every clip around by a random shift.

Source: CP-JKU 2023 (4,000 samples at 32 kHz), PaSST 2023 (10,000), jku2024 (0.1 s, its PaSST 0.125 s),
        irmamba2024 (0.15 s).
"""

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError

ON = "wave"


def apply(batch, seed, sample_rate_hz, *, max_shift_s: float):
    """Circular shift by a whole number of samples, uniform in [-max, max], one draw a clip."""
    if max_shift_s < 0:
        raise UserError(f"augmentation/time_roll: max_shift_s = {max_shift_s} must not be negative.")
    limit = round(max_shift_s * sample_rate_hz)
    shifts = _draws.integers([tf.shape(batch["wave"])[0]], seed, -limit, limit + 1)
    return batch | {"wave": roll(batch["wave"], shifts)}


def roll(wave, shifts):
    """wave (batch, samples) with wave[i, n] moved to n + shifts[i], around the end.

    Every clip is cut in two and its pieces change places: a fifth of the cost of an index a sample.
    """
    count, samples = tf.unstack(tf.shape(wave))
    tail = shifts % samples
    lengths = tf.reshape(tf.stack([samples - tail, tail], 1), [-1])
    pieces = tf.RaggedTensor.from_row_lengths(tf.reshape(wave, [-1]), lengths, validate=False)
    swapped = tf.gather(pieces, tf.reshape(tf.range(2 * count), [count, 2])[:, ::-1])
    return tf.ensure_shape(tf.reshape(swapped.flat_values, [count, samples]), wave.shape)
