"""What changes from step to step, or from epoch to epoch?"""

import keras
from keras import ops

from asc_tf.recipe.schema import Ramp


def warmup_cosine(*, learning_rate, warmup_steps, steps):
    """Linear from 0 to `learning_rate` over `warmup_steps`, then half a cosine to 0 at `steps`.

    Source: the DCASE 2024 baseline and jku2024 (peak 5e-3, 2,000 warm-up steps, 150 epochs).
    A warm-up longer than half the training is cut to that half, so that short runs train too.
    """
    warmup_steps = min(warmup_steps, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        decay_steps=steps - warmup_steps,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def kernel_temperature(epoch, *, start):
    """Of DyMN's softmax over kernels: `start` in epoch 0, 1 less every epoch, never below 1.

    Source: Schmid et al., DyMN, 2023.  Its second, slower slope of 0.02 an epoch begins where the first
    has reached 1, and so changes nothing.
    """
    return max(start - epoch, 1.0)


def weight(epoch, setting):
    """A recipe's weight at an epoch, counted from 0, which may be a fraction and a tensor: a number, or a Ramp's."""
    if not isinstance(setting, Ramp):
        return setting
    way = ops.convert_to_tensor((epoch - setting.first_epoch) / (setting.last_epoch - setting.first_epoch))
    return setting.start + (setting.end - setting.start) * ops.clip(way, 0.0, 1.0)
