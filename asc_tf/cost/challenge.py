"""Cost of a network as the DCASE challenge counts it, and whether it is within the limits.

Parameters and MACs by rule T.  A parameter takes one byte where the int8 file has it in 8 bits, biases included, and
four where its layer stays in float. How a file stores them (biases in 32 bits, scales, batch norms folded) is no part
of the count.

Source: DCASE 2024 Challenge, Task 1, system complexity requirements; figures of its baseline: 61,148 parameters,
61,148 bytes, 29,419,156 MACs.
"""

import math
from collections.abc import Collection
from typing import NamedTuple

import keras

from asc_tf.cost import layer_rules
from asc_tf.cost._graph import Graph
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.cost.rows import total

RULE = "T"
FLOAT_BYTES = 4


class Count(NamedTuple):
    """The cost of a network by which the challenge judges it.

    Args:
        parameters: Number of parameters.
        bytes: Bytes of the parameters.
        macs: Multiply-accumulate operations for one clip.
    """

    parameters: int
    bytes: int
    macs: int


def count(network: keras.Model, float_layers: Collection[str] = ()) -> Count:
    """Cost of a network whose int8 file has some layers in float.

    Args:
        network: A functional network.
        float_layers: Names of the layers in float; other names than the network's are ignored.

    Raises:
        UserError: The network is not functional.
    """
    parameters, macs = total(layer_rules.unfused(network))
    return Count(parameters, parameter_bytes(parameters, float_parameters(network, float_layers)), macs)


def parameter_bytes(parameters: int, in_float: int) -> int:
    """Bytes of parameters: four for each in float, one for each of the others.

    Args:
        parameters: Number of all parameters.
        in_float: Number of those in float.
    """
    return parameters + (FLOAT_BYTES - 1) * in_float


def float_parameters(network: keras.Model, float_layers: Collection[str]) -> int:
    """Number of the parameters of layers in float.

    A layer that quantises in several parts, each a layer `NAME_PART` of the quantised network, has the attribute
    `weights_of_parts`, the names of its weights by part; a weight that several parts read is counted once.

    Args:
        network: A functional network.
        float_layers: As for `count`.
    """
    distinct = {id(call.layer): call.layer for call in Graph(network).calls}
    return sum(math.prod(weight.shape) for layer in distinct.values() for weight in _in_float(layer, float_layers))


def over_limits(parameter_bytes: int, macs: int) -> list[str]:
    """A text for every limit that is exceeded, as "30,949,844 MACs are more than 30,000,000".

    Args:
        parameter_bytes: Bytes of the parameters.
        macs: Multiply-accumulate operations for one clip.
    """
    costs = ((parameter_bytes, MAX_BYTES, "bytes of parameters"), (macs, MAX_MACS, "MACs"))
    return [f"{cost:,} {unit} are more than {most:,}" for cost, most, unit in costs if cost > most]


def _in_float(layer, float_layers):
    """The weights of a layer that are in float, without statistics."""
    weights = [weight for weight in getattr(layer, "weights", ()) if weight.name not in layer_rules.STATISTICS]
    if layer.name in float_layers:
        return weights
    parts = getattr(layer, "weights_of_parts", {})
    names = {name for part, names in parts.items() if f"{layer.name}_{part}" in float_layers for name in names}
    return [weight for weight in weights if weight.name in names]
