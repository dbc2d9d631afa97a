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


class Pair(NamedTuple):
    """A weight of a Keras layer and its key in the state dict."""

    layer: keras.layers.Layer
    weight: keras.Variable
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
        part = weight.name if is_custom else PARTS.get(weight.name, weight.name)
        module = torch_name(layer.name)
        name = f"{module}.{part}" if module else part
        pair = Pair(layer, weight, known.get(name.replace(".", "_"), name))
        if pair.key in shapes:
            used.add(pair.key)
            needed, actual = torch_shape(layer, weight), tuple(shapes[pair.key])
            fits = math.prod(actual) == math.prod(needed) if is_custom else actual == needed
            result.pairs.append(pair) if fits else result.wrong.append((pair, needed, actual))
        elif is_custom and not weight.trainable:
            result.untrained.append(pair.name)
        else:
            result.missing.append(pair)
    result.extra.extend(key for key in shapes if key not in used)
    return result


def torch_shape(layer: keras.layers.Layer, weight: keras.Variable) -> tuple[int, ...]:
    """Shape of the original's tensor for a Keras weight.

    Args:
        layer: The weight's layer.
        weight: The weight.
    """
    shape = tuple(weight.shape)
    if weight.name != "kernel":
        return shape
    if isinstance(layer, DEPTHWISE):
        return (shape[-2] * shape[-1], 1, *shape[:-2])
    return (shape[-1], shape[-2], *shape[:-2])


def to_keras_order(layer: keras.layers.Layer, weight: keras.Variable, values: np.ndarray) -> np.ndarray:
    """The values of the original's tensor in the order and shape of a Keras weight.

    Linear (out, in) -> (in, out); convolutions (out, in, ...) -> (..., in, out); depthwise
    (channels x multiplier, 1, ...) -> (..., channels, multiplier); custom layers have the original's order.

    Args:
        layer: The weight's layer.
        weight: The weight.
        values: Values of the tensor that `match` pairs with the weight.
    """
    if weight.name == "kernel":
        last = (0, 1) if isinstance(layer, DEPTHWISE) else (1, 0)
        values = values.transpose(*range(2, values.ndim), *last)
    return values.reshape(weight.shape)


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
            yield from ((layer, weight) for weight in layer.weights)
