"""Which random numbers do the augmentations share?"""

import tensorflow as tf

from asc_tf.errors import UserError


def split(seed, count):
    """`count` independent seeds from one."""
    return tf.unstack(tf.random.experimental.stateless_split(seed, count))


def uniform(shape, seed, low=0.0, high=1.0):
    """Float32 in [low, high)."""
    return tf.random.stateless_uniform(shape, seed, low, high)


def integers(shape, seed, low, high):
    """Int32 in [low, high)."""
    return tf.random.stateless_uniform(shape, seed, low, high, tf.int32)


def beta(shape, seed, alpha):
    """Beta(alpha, alpha) draws, as the share of one gamma draw in two (gamma draws do not run under XLA)."""
    one, other = (tf.random.stateless_gamma(shape, s, alpha) for s in split(seed, 2))
    return (one + 1e-30) / (one + other + 2e-30)  # both draws of a small alpha may underflow to 0


def permutation(count, seed):
    """(count,) int32: 0 ... count - 1 in random order; a place may keep its own."""
    return tf.random.experimental.stateless_shuffle(tf.range(count), seed)


def check_share(part, p):
    """UserError unless p is a probability."""
    if not 0 <= p <= 1:
        raise UserError(f"augmentation/{part}: p = {p} must be from 0 to 1.")


def check_positive(part, name, value):
    """UserError unless the setting is above 0."""
    if value <= 0:
        raise UserError(f"augmentation/{part}: {name} = {value} must be above 0.")


def check_span(part, name, span, least=-float("inf")):
    """UserError unless the setting is [low, high] in that order, none below `least`."""
    if len(span) != 2 or not least <= span[0] <= span[1]:
        floor = "" if least == -float("inf") else f", none below {least:g}"
        raise UserError(f"augmentation/{part}: {name} = {list(span)} must be [low, high]{floor}.")
