"""Matching of a file's tensors with the weights of a Keras network, and the order of axes of each weight.

A file names its tensors in one of three ways:
    PyTorch's     "stages.s1.b1.block.0.0.weight".  A Keras layer is named after the original's module, underscores for
                  dots, unless the model's file has a function `torch_name(layer, **settings)` that returns the
                  original's name, "" for the outermost module.
    Keras's       "stem1.kernel", in .h5, .npz and .safetensors files.
    numbered      "layers.conv2d_1.vars.0", in .weights.h5 and .keras files: layers by class and order, weights by
                  number.
Source of the orders of axes: torch.nn and keras.layers.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
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
GRU_PARTS = {
    "kernel": ("weight_ih_l0",),
    "recurrent_kernel": ("weight_hh_l0",),
    "bias": ("bias_ih_l0", "bias_hh_l0"),
}
DEPTHWISE = (kinds.DepthwiseConv1D, kinds.DepthwiseConv2D)
Shapes = Mapping[str, Sequence[int]]


class Target(NamedTuple):
    """A weight of a network, and the tensors that a file must have for it.

    Args:
        layer: The weight's layer.
        weight: The weight.
        keys: Keys of the tensors, without a prefix: one, or two for the biases of a GRU.
        shape: Shape of each of them.
        convert: Function from the tensors' values to those of the weight, with its order of axes.
        reshaped: Whether the tensor may have any shape of as many elements, as those of this project's layers.
    """

    layer: keras.layers.Layer
    weight: keras.Variable
    keys: tuple[str, ...]
    shape: tuple[int, ...]
    convert: Callable[[Sequence[np.ndarray]], np.ndarray]
    reshaped: bool = False

    @property
    def key(self) -> str:
        """The first of the keys."""
        return self.keys[0]

    @property
    def name(self) -> str:
        """Name of the layer and of the weight, as "stem/kernel"."""
        return f"{self.layer.name}/{self.weight.name}"

    @property
    def is_optional(self) -> bool:
        """Whether the recipe sets the weight, so that a file need not hold it."""
        return _is_custom(self.layer) and not self.weight.trainable

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of a shape is one for this weight.

        Args:
            shape: Shape of the tensor.
        """
        if self.reshaped:
            return math.prod(shape) == math.prod(self.shape)
        return tuple(shape) == self.shape or (
            isinstance(self.layer, kinds.Dense) and _without_ones(shape) == _without_ones(self.shape)
        )


class Match(NamedTuple):
    """Comparison of a network with those tensors of a file whose keys have a prefix.

    Args:
        prefix: The prefix.
        keys: (weight, its keys in the file, prefix included) of weights that have tensors of their names and shapes.
        missing: Weights without a tensor.
        wrong: (weight, key in the file, shape of the tensor) of tensors of another shape.
        unneeded: Names of layers whose weights are missing by intention.
    """

    prefix: str
    keys: list[tuple[Target, tuple[str, ...]]]
    missing: list[Target]
    wrong: list[tuple[Target, str, tuple[int, ...]]]
    unneeded: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every weight has its tensors; those that the recipe sets may have none."""
        return not self.wrong and all(
            target.is_optional or target.layer.name in self.unneeded for target in self.missing
        )

    def without(self, layers: Sequence[str]) -> "Match":
        """The match with the weights of some layers missing, by intention.

        Args:
            layers: Names of the layers.
        """
        keys = [(target, keys) for target, keys in self.keys if target.layer.name not in layers]
        wrong = [entry for entry in self.wrong if entry[0].layer.name not in layers]
        present = [target for target, *_ in (*self.keys, *self.wrong) if target.layer.name in layers]
        return Match(self.prefix, keys, self.missing + present, wrong, tuple(layers))

    @property
    def targets(self) -> list[Target]:
        """All weights of the network."""
        return [target for target, _ in self.keys] + [target for target, _, _ in self.wrong] + self.missing

    @property
    def used(self) -> set[str]:
        """Keys in the file that belong to the network, of whatever shape."""
        return {key for _, keys in self.keys for key in keys} | {key for _, key, _ in self.wrong}


def match(network: keras.Model, shapes: Shapes, torch_name: Callable[[str], str] = str) -> Match:
    """The match of most weights; arguments as of `matches`."""
    return matches(network, shapes, torch_name)[0]


def matches(network: keras.Model, shapes: Shapes, torch_name: Callable[[str], str] = str) -> list[Match]:
    """Matches of a network with a file, one for each prefix that any of its weights has there, in the best naming.

    Args:
        network: The network; networks inside it are unpacked.
        shapes: Shape of every tensor of the file by key.
        torch_name: Function from a layer's name to its module's in the original.

    Returns:
        The matches, that of most weights first; without any, one in which all are missing by PyTorch's names.
    """
    namings = [list(naming) for naming in (_torch(network, torch_name), _by_name(network), _numbered(network.layers))]
    results = [_match(naming, *group, shapes) for naming in namings for group in _groups(naming, shapes).items()]
    results.sort(key=lambda result: (len(result.keys), len(result.wrong)), reverse=True)
    best = {result.prefix: result for result in reversed(results)}
    return [result for result in results if result is best[result.prefix]] or [Match("", [], namings[0], [])]


def torch_shape(layer: keras.layers.Layer, weight: keras.Variable) -> tuple[int, ...]:
    """Shape of the original's tensor for a Keras weight.

    Args:
        layer: The weight's layer.
        weight: The weight.
    """
    shape = tuple(weight.shape)
    if isinstance(layer, kinds.GRU):
        return shape[:0:-1] if weight.name == "bias" else shape[::-1]
    if weight.name != "kernel":
        return shape
    if isinstance(layer, DEPTHWISE):
        return (shape[-2] * shape[-1], 1, *shape[:-2])
    return (shape[-1], shape[-2], *shape[:-2])


def _torch(network: keras.Model, torch_name: Callable[[str], str]) -> Iterator[Target]:
    """Targets by PyTorch's names.

    Linear (out, in) -> (in, out); convolutions (out, in, ...) -> (..., in, out); depthwise
    (channels x multiplier, 1, ...) -> (..., channels, multiplier); GRU's gates r, z, n -> z, r, h; this project's
    layers have the original's order.
    """
    for layer, weight in _weights(network):
        module, is_custom = torch_name(layer.name), _is_custom(layer)
        if isinstance(layer, kinds.GRU):
            parts, convert = GRU_PARTS[weight.name], _gru_converter(weight)
        else:
            parts = (weight.name if is_custom else PARTS.get(weight.name, weight.name),)
            convert = _converter(layer, weight)
        keys = tuple(f"{module}.{part}" if module else part for part in parts)
        yield Target(layer, weight, keys, torch_shape(layer, weight), convert, reshaped=is_custom)


def _converter(layer, weight):
    def convert(values):
        (array,) = values
        if weight.name == "kernel" and not _is_custom(layer):
            last = (0, 1) if isinstance(layer, DEPTHWISE) else (1, 0)
            array = array.reshape(torch_shape(layer, weight))  # of a dense layer written as a convolution
            array = array.transpose(*range(2, array.ndim), *last)
        return array.reshape(weight.shape)

    return convert


def _gru_converter(weight):
    def convert(values):
        gates = [value.reshape(3, -1, *value.shape[1:])[[1, 0, 2]].reshape(value.shape) for value in values]
        return np.stack(gates) if weight.name == "bias" else gates[0].T

    return convert


def _by_name(network: keras.Model) -> Iterator[Target]:
    """Targets by Keras's names of layers and weights."""
    for layer, weight in _weights(network):
        yield _as_it_is(layer, weight, f"{layer.name}.{weight.name}")


def _numbered(layers: Sequence[keras.layers.Layer], parent: str = "layers") -> Iterator[Target]:
    """Targets as saving_lib numbers them: layers of a class by order, weights by number."""
    counter = Counter()
    for layer in layers:
        kind = _snake_case(type(layer).__name__)
        name = f"{parent}.{kind}_{counter[kind]}" if counter[kind] else f"{parent}.{kind}"
        counter[kind] += 1
        if isinstance(layer, keras.Model):
            yield from _numbered(layer.layers, f"{name}.layers")
            continue
        name = f"{name}.cell" if isinstance(layer, kinds.GRU) else name
        for number, weight in enumerate(layer.weights):
            yield _as_it_is(layer, weight, f"{name}.vars.{number}")


def _as_it_is(layer, weight, key):
    return Target(layer, weight, (key,), tuple(weight.shape), lambda values: values[0])


def _groups(targets: Sequence[Target], shapes: Shapes) -> dict[str, dict[str, list[str]]]:
    """{prefix: {name of a tensor: its keys in the file}}; a name has underscores for dots and lacks the prefix."""
    wanted = {_flat(key) for target in targets for key in target.keys}
    groups = defaultdict(lambda: defaultdict(list))
    for key in shapes:
        parts = key.split(".")
        for start in range(len(parts)):
            name = "_".join(parts[start:])
            if name in wanted:
                groups[".".join([*parts[:start], ""]) if start else ""][name].append(key)
    return groups


def _match(targets: Sequence[Target], prefix: str, group: Mapping[str, list[str]], shapes: Shapes) -> Match:
    result = Match(prefix, [], [], [])
    for target in targets:
        found = [group.get(_flat(key), []) for key in target.keys]
        wrong = [key for keys in found for key in keys if not target.takes(shapes[key])]
        if wrong:
            result.wrong.extend((target, key, tuple(shapes[key])) for key in wrong)
        elif all(len(keys) == 1 for keys in found):
            result.keys.append((target, tuple(keys[0] for keys in found)))
        else:
            result.missing.append(target)
    return result


def _without_ones(shape):
    return [size for size in shape if size != 1]


def _flat(key):
    return key.replace(".", "_").replace("/", "_")


def _snake_case(name):
    """Name of a class as keras.src.utils.naming.to_snake_case has it."""
    name = re.sub(r"\W+", "", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


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
