"""Settings of a network, inferred from the shapes of a checkpoint's tensors.

A model's file may define `SIGNATURE`, a key that every state dict of the family has; `guess(shapes)`, the Guess for the
shapes of a state dict whose keys have no prefix; and `ASSUMED`, the settings that shapes do not show, such as strides.
"""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

Shapes = Mapping[str, tuple[int, ...]]


class Guess(NamedTuple):
    """Settings that fit the shapes of a state dict.

    Args:
        classes: Number of classes.
        settings: Keyword arguments of the model's `build`; those that shapes do not show have published values.
    """

    classes: int
    settings: dict[str, Any]


def count(shapes: Shapes, pattern: str) -> int:
    """Number of modules in a row, from 0, that a state dict has.

    Args:
        shapes: Shape of every tensor by key.
        pattern: A key with "{}" in place of the module's number, as "blocks.{}.norm1.weight".
    """
    return next(number for number in itertools.count() if pattern.format(number) not in shapes)
