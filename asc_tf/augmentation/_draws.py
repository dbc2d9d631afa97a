"""Which random numbers do the augmentations share?"""

import tensorflow as tf

from asc_tf.errors import UserError


def split(seed, count):
    """`count` independent seeds from one."""
    return tf.unstack(tf.random.experimental.stateless_split(seed, count))


def uniform(shape, seed, low=0.0, high=1.0):
    """Float32 in [low, high)."""
    return tf.random.stateless_uniform(shape, seed, low, high)


def beta(shape, seed, alpha):
    """Beta(alpha, alpha) draws, as the share of one gamma draw in two (gamma draws do not run under XLA)."""
    one, other = (tf.random.stateless_gamma(shape, s, alpha) for s in split(seed, 2))
    return (one + 1e-30) / (one + other + 2e-30)  # both draws of a small alpha may underflow to 0


def check_share(part, p):
    """UserError unless p is a probability."""
    if not 0 <= p <= 1:
        raise UserError(f"augmentation/{part}: p = {p} must be from 0 to 1.")
