"""The form in which every counting rule gives the cost of a layer and of a network."""

from collections.abc import Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """The cost of a network; equal to a plain tuple.

    Args:
        parameters: Number of parameters.
        macs: Multiply-accumulate operations for one clip.
    """

    parameters: int
    macs: int


class Row(NamedTuple):
    """The cost of one layer or operation.

    Args:
        name: Name of the layer, or of the operation's output.
        kind: Class of the layer, or TFLite's name of the operation.
        output_shape: Shape of the output without the batch.
        parameters: Number of parameters.
        macs: Multiply-accumulate operations for one clip; rule K alone counts halves.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: float


def total(rows: Sequence[Row]) -> Cost:
    """Sum of all rows, MACs rounded down."""
    return Cost(sum(row.parameters for row in rows), int(sum(row.macs for row in rows)))
