"""Matching of a PyTorch state dict with its Keras network, and the order of axes of each weight.

A Keras layer is named after the original's module, underscores for dots, unless the model's file has a function
`torch_name(layer, **settings)` that returns the original's name, "" for the outermost module.
Source of the orders: torch.nn and keras.layers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kinds

PARTS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
DEPTHWISE = (kinds.DepthwiseConv1D, kinds.DepthwiseConv2D)
RECURRENT = {"kernel": "weight_ih_l0", "recurrent_kernel": "weight_hh_l0"}
GATES = (1, 0, 2)  # blocks of a GRU's rows: reset, update and new in PyTorch, update, reset and new in Keras


class GRUBias:
    """One of the two rows of a GRU's bias, which are two tensors in PyTorch, as a weight of its own.

    Args:
        bias: The bias (2, 3 * units) of a keras.layers.GRU with reset_after.
        row: 0, the bias of the inputs, or 1, that of the recurrent state.
    """

    def __init__(self, bias: keras.Variable, row: int):
        self.bias, self.row = bias, row
        self.name, self.shape, self.trainable = f"bias_{'ih' if row == 0 else 'hh'}_l0", bias.shape[1:], bias.trainable

    def assign(self, values: np.ndarray) -> None:
        """Sets the row.

        Args:
            values: (3 * units,).
        """
        rows = np.array(self.bias)
        rows[self.row] = values
        self.bias.assign(rows)


class Pair(NamedTuple):
    """A weight of a Keras layer and its key in the state dict."""

    layer: keras.layers.Layer
    weight: keras.Variable | GRUBias
    key: str

    @property
    def name(self) -> str:
        """Name of the layer and of the weight, as "stem/kernel"."""
        return f"{self.layer.name}/{self.weight.name}"


class Match(NamedTuple):
    """Comparison of a network with a state dict.

    Args:
        pairs: Weights with a tensor of the right shape.
        missing: Weights without a tensor.
        extra: Keys without a weight.
        wrong: (pair, shape needed, shape of the tensor) of tensors of another shape.
        untrained: Names of non-trainable weights of custom layers, which the recipe sets and no state dict holds.
    """

    pairs: list[Pair]
    missing: list[Pair]
    extra: list[str]
    wrong: list[tuple[Pair, tuple[int, ...], tuple[int, ...]]]
    untrained: list[str]

    @property
    def fits(self) -> bool:
        """Whether every weight has a tensor of its shape and every tensor a weight."""
        return not (self.missing or self.extra or self.wrong)


def match(network: keras.Model, shapes: Mapping[str, Sequence[int]], torch_name: Callable[[str], str] = str) -> Match:
    """Finds the tensor of every weight.

    Args:
        network: The network; networks inside it are unpacked.
        shapes: Shape of every tensor of the state dict by key.
        torch_name: Function from a layer's name to its module's in the original.
    """
    known = {key.replace(".", "_"): key for key in shapes}
    result, used = Match([], [], [], [], []), set()
    for layer, weight in _weights(network):
        is_custom = _is_custom(layer)
        names = {} if is_custom else RECURRENT if isinstance(layer, kinds.GRU) else PARTS
        part = names.get(weight.name, weight.name)
        module = torch_name(layer.name)
        name = f"{module}.{part}" if module else part
        pair = Pair(layer, weight, known.get(name.replace(".", "_"), name))
        if pair.key in shapes:
            used.add(pair.key)
            needed, actual = torch_shape(layer, weight), tuple(shapes[pair.key])
            fits = math.prod(actual) == math.prod(needed) if is_custom else actual in (needed, _over_all(layer, needed))
            result.pairs.append(pair) if fits else result.wrong.append((pair, needed, actual))
        elif is_custom and not weight.trainable:
            result.untrained.append(pair.name)
        else:
            result.missing.append(pair)
    result.extra.extend(key for key in shapes if key not in used)
    return result


def torch_shape(layer: keras.layers.Layer, weight: keras.Variable | GRUBias) -> tuple[int, ...]:
    """Shape of the original's tensor for a Keras weight.

    Args:
        layer: The weight's layer.
        weight: The weight.
    """
    shape = tuple(weight.shape)
    if not weight.name.endswith("kernel"):
        return shape
    if isinstance(layer, DEPTHWISE):
        return (shape[-2] * shape[-1], 1, *shape[:-2])
    return (shape[-1], shape[-2], *shape[:-2])


def to_keras_order(layer: keras.layers.Layer, weight: keras.Variable | GRUBias, values: np.ndarray) -> np.ndarray:
    """The values of the original's tensor in the order and shape of a Keras weight.

    Linear (out, in) -> (in, out); convolutions (out, in, ...) -> (..., in, out); depthwise
    (channels x multiplier, 1, ...) -> (..., channels, multiplier); a GRU's gates are in another order; a dense layer
    may be a convolution of one channel over all of it, (out, 1, in), in the original; custom layers have its order.

    Args:
        layer: The weight's layer.
        weight: The weight.
        values: Values of the tensor that `match` pairs with the weight.
    """
    if isinstance(layer, kinds.GRU):
        values = np.concatenate([np.split(values, 3)[gate] for gate in GATES])
    if weight.name.endswith("kernel"):
        values = values.reshape(torch_shape(layer, weight))
        last = (0, 1) if isinstance(layer, DEPTHWISE) else (1, 0)
        values = values.transpose(*range(2, values.ndim), *last)
    return values.reshape(weight.shape)


def _over_all(layer, needed):
    """Shape (out, 1, in) of a convolution over a whole sequence of one channel that a dense layer computes, or None."""
    return (needed[0], 1, needed[1]) if isinstance(layer, kinds.Dense) and len(needed) == 2 else None


def _is_custom(layer):
    """Whether a layer is neither one of Keras nor a subclass of one, as those of models/_fast_layers are."""
    keras_kind = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return keras_kind is kinds.Layer


def _weights(network):
    """(layer, weight) of all weights, each once; networks inside the network are unpacked."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _weights(layer)
        else:
            for weight in layer.weights:
                rows = isinstance(layer, kinds.GRU) and weight.name == "bias"
                yield from ((layer, part) for part in ([GRUBias(weight, 0), GRUBias(weight, 1)] if rows else [weight]))
