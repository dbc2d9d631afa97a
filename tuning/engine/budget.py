"""Size of a candidate by the challenge's rules, and the limits that it must keep before it is trained."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import keras

from asc_tf import build
from asc_tf.cost import challenge, memory
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.export.quantisation import qat
from asc_tf.recipe.schema import Recipe


class Size(NamedTuple):
    """Size of a network.

    Args:
        parameters: Number of parameters.
        bytes: Bytes of parameters: one each, four for each that [quantise] leaves in float.
        macs: Multiply-accumulate operations for one clip.
        ram: Bytes that the activations of one clip take at least in int8.
    """

    parameters: int
    bytes: int
    macs: int
    ram: int


UNITS = {
    "parameters": "parameters",
    "bytes": "bytes of parameters",
    "macs": "MACs",
    "ram": "bytes of activations",
}


@dataclass(frozen=True)
class Limits:
    """Largest size of a candidate; None for no limit.

    Args:
        parameters, bytes, macs, ram: As of Size.
    """

    parameters: int | None = None
    bytes: int | None = MAX_BYTES
    macs: int | None = MAX_MACS
    ram: int | None = None

    @property
    def given(self) -> dict[str, int]:
        """The limits that there are, by name."""
        return {name: most for name, most in asdict(self).items() if most is not None}

    def exceeded(self, size: Size) -> list[str]:
        """A text for every limit that a size exceeds, as "30,949,844 MACs are more than 30,000,000".

        Args:
            size: The size.
        """
        over = {name: (getattr(size, name), most) for name, most in self.given.items() if getattr(size, name) > most}
        return [f"{value:,} {UNITS[name]} are more than {most:,}" for name, (value, most) in over.items()]

    def used_share(self, size: Size) -> float:
        """The largest share of a limit that a size takes: 1 at a limit; 0 without limits.

        Args:
            size: The size.
        """
        return max((getattr(size, name) / most for name, most in self.given.items()), default=0.0)


def size(recipe: Recipe, classes: Sequence[str]) -> Size:
    """Size of a recipe's network, which is built untrained for it.

    Args:
        recipe: The recipe.
        classes: Names of its classes.

    Raises:
        UserError: The settings of the network do not fit together.
    """
    try:
        network, in_float = build.checked_network(recipe, len(classes)), ()
        if recipe.quantise:
            foldable = build.network(recipe, len(classes), foldable=True)
            in_float = qat.check(foldable, recipe.quantise.float_layers)
        return Size(*challenge.count(network, in_float), memory.peak_values(network))
    finally:
        keras.utils.clear_session()  # names and graphs of hundreds of candidates would add up
