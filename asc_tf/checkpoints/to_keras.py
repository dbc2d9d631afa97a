"""Where do the weights of a PyTorch original go in its Keras network, and in which order of axes?

A Keras layer is named after the original's module, underscores for dots, or its model's file tells the
original's name: `torch_name(layer, **settings)`.  Source of the orders: torch.nn and keras.layers.
"""

import math
import typing

import keras
from keras import layers as kinds

PARTS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
DEPTHWISE = (kinds.DepthwiseConv1D, kinds.DepthwiseConv2D)


class Pair(typing.NamedTuple):
    """A weight of a Keras layer and the original's key for it."""

    layer: object
    weight: object
    key: str

    @property
    def name(self):
        return f"{self.layer.name}/{self.weight.name}"


class Match(typing.NamedTuple):
    """How a network and a state dict fit.

    pairs: [Pair, ...] that fit.  missing: [Pair, ...] without a tensor.  extra: [key, ...] without a weight.
    wrong: [(Pair, shape needed, shape there), ...].  kept: [name, ...] of states that the originals compute.
    """

    pairs: list
    missing: list
    extra: list
    wrong: list
    kept: list

    @property
    def fits(self):
        return not (self.missing or self.extra or self.wrong)


def match(network, shapes, torch_name=str):
    """The Match of a network and {key: shape}; torch_name: a layer's name -> its module's in the original."""
    known = {key.replace(".", "_"): key for key in shapes}
    found, used = Match([], [], [], [], []), set()
    for layer, weight in _weights(network):
        own = not _is_of_keras(layer)
        wanted = f"{torch_name(layer.name)}.{weight.name if own else PARTS.get(weight.name, weight.name)}"
        pair = Pair(layer, weight, known.get(wanted.replace(".", "_"), wanted))
        if pair.key in shapes:
            used.add(pair.key)
            needed, there = needed_shape(layer, weight), tuple(shapes[pair.key])
            fits = math.prod(there) == math.prod(needed) if own else there == needed
            found.pairs.append(pair) if fits else found.wrong.append((pair, needed, there))
        elif own and not weight.trainable:
            found.kept.append(pair.name)
        else:
            found.missing.append(pair)
    found.extra.extend(key for key in shapes if key not in used)
    return found


def needed_shape(layer, weight):
    """The shape that the original's tensor has for a Keras weight."""
    shape = tuple(weight.shape)
    if weight.name != "kernel":
        return shape
    if isinstance(layer, DEPTHWISE):
        return (shape[-2] * shape[-1], 1, *shape[:-2])
    return (shape[-1], shape[-2], *shape[:-2])


def turned(layer, weight, values):
    """The values of the original's tensor in the order and shape of a Keras weight.

    Linear (out, in) -> (in, out); convolutions (out, in, ...) -> (..., in, out); depthwise
    (channels x multiplier, 1, ...) -> (..., channels, multiplier); a project's own layers keep the order.
    """
    if weight.name == "kernel":
        last = (0, 1) if isinstance(layer, DEPTHWISE) else (1, 0)
        values = values.transpose(*range(2, values.ndim), *last)
    return values.reshape(weight.shape)


def _is_of_keras(layer):
    """Whether a layer is one of Keras or of a subclass of one, such as BatchNormalization, and not a project's own."""
    kind = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return kind is not kinds.Layer


def _weights(network):
    """(layer, weight) of all weights, each once; networks inside the network are unpacked."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _weights(layer)
        else:
            yield from ((layer, weight) for weight in layer.weights)
