"""In what form is a cost told?"""

import typing


class Cost(typing.NamedTuple):
    """Parameters, and multiply-accumulate operations for one clip; equal to a plain tuple."""

    parameters: int
    macs: int


class Row(typing.NamedTuple):
    """The cost of one layer or operation, and its output shape without the batch.

    macs: a whole number but by rule K, which counts halves.
    """

    name: str
    kind: str
    output_shape: tuple
    parameters: int
    macs: float


def total(rows):
    """The Cost of all rows, MACs rounded down."""
    return Cost(sum(row.parameters for row in rows), int(sum(row.macs for row in rows)))
