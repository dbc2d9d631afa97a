"""A limit of a network's size, which holds before memory is taken for its weights."""

import contextlib
import math
from collections.abc import Iterator

import keras

from asc_tf.errors import UserError

MOST_PARAMETERS = 500_000_000  # five times the largest network of the shipped recipes; 2 GB
MOST_WEIGHTS = 10_000  # tensors; that network has some hundred


@contextlib.contextmanager
def limited_size() -> Iterator[None]:
    """Context in which Keras layers make no more weights than a network of this library can have.

    Raises:
        UserError: A layer is about to make a weight beyond the limit.
    """
    add_weight = keras.Layer.add_weight
    made = [0, 0]  # parameters, weights

    def counted(layer, shape=None, *arguments, **settings):
        made[0] += math.prod(shape or ())
        made[1] += 1
        if made[0] > MOST_PARAMETERS or made[1] > MOST_WEIGHTS:
            raise UserError(
                f"the network has {made[0]:,} parameters in {made[1]:,} weights at its layer '{layer.name}', beyond "
                f"{MOST_PARAMETERS:,} or {MOST_WEIGHTS:,}; choose a smaller width or depth in [model]."
            )
        return add_weight(layer, shape, *arguments, **settings)

    keras.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.Layer.add_weight = add_weight
