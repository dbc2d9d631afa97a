"""The network of a recipe in a file of weights: which tensors are its weights, and why others are not."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from asc_tf import build, dataset
from asc_tf.checkpoints import files, to_keras
from asc_tf.checkpoints._tensor import StoredTensor
from asc_tf.checkpoints.to_keras import Match
from asc_tf.errors import UserError
from asc_tf.importing import guessing
from asc_tf.recipe.schema import Recipe

ANY_CLASSES = 10  # number of classes with which a network is compared first, where the recipe does not show it
SHOWN = 3  # mismatches or keys in an error
SHARE_OF_A_NETWORK = 0.5  # of the weights that tensors with one prefix must have to be listed as a network

Tensors = Mapping[str, StoredTensor]


class Fit(NamedTuple):
    """A network and the tensors of a file that are its weights.

    Args:
        network: The network, with initial weights.
        classes: Its number of classes.
        match: The tensors that are its weights.
        others: Matches with other prefixes, of other networks in the file.
        head: Weights of a new head, which the file does not hold.
    """

    network: keras.Model
    classes: int
    match: Match
    others: list[Match]
    head: list[to_keras.Target]


def fit(file: str | Path, tensors: Tensors, recipe: Recipe, prefix: str | None = None, *, new_head: int = 0) -> Fit:
    """Finds the weights of a recipe's network in a file.

    Tensors that are none of the network's weights are ignored.

    Args:
        file: The file, for errors.
        tensors: Its tensors by key.
        recipe: The recipe.
        prefix: Start of the keys of the network, where the file holds several that fit.
        new_head: Number of classes of a new head, whose weights are not taken from the file; 0 where they are.

    Raises:
        UserError: Weights are missing, ambiguous or of another shape, or the file's network is larger.
    """
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    if new_head:
        network, classes, everywhere = _without_head(recipe, shapes, new_head)
    else:
        network, classes, everywhere = _compared(recipe, shapes, prefix)
    matches = _with_prefix(everywhere, prefix)
    if not matches:
        raise UserError(f"{file}: --prefix {prefix}: no weight of {recipe.model.name} has this prefix. {_hint(shapes)}")
    fitting = [match for match in matches if match.fits]
    if not fitting:
        raise UserError(_misfit(file, recipe, matches, shapes))
    if len(fitting) > 1 and not _equal(file, tensors, fitting):
        raise UserError(_ambiguous(file, recipe, fitting))
    _check_size(file, recipe, fitting[0], shapes)
    others = [match for match in everywhere if match is not fitting[0] and _is_network(match)]
    head = [target for target in fitting[0].missing if not target.is_optional]
    return Fit(network, classes, fitting[0], others, head)


def counted(match: Match) -> str:
    """Text of a prefix and the number of weights that fit, as "'student.': 117 of 117 weights".

    Args:
        match: A match.
    """
    return f"'{match.prefix}': {len(match.keys)} of {_size(match)} weights"


def _compared(recipe, shapes, prefix):
    """(network, its number of classes, matches), the number of classes that of the file where that can be seen."""
    expected = len(recipe.labels or dataset.known_classes(recipe)) or ANY_CLASSES
    network = build.network(recipe, expected)
    matches = _matches(network, recipe, shapes)
    chosen = _with_prefix(matches, prefix)
    classes = None if any(match.fits for match in chosen) else _classes(recipe, chosen, shapes, expected)
    if classes is None:
        return network, expected, matches
    network = build.network(recipe, classes)
    return network, classes, _matches(network, recipe, shapes)


def _without_head(recipe, shapes, classes):
    """As _compared, without the head: the layers whose weights change their shapes with the number of classes."""
    network = build.network(recipe, classes)
    head = build.head_layers(recipe, network)
    return network, classes, [match.without(head) for match in _matches(network, recipe, shapes)]


def _matches(network, recipe, shapes):
    return to_keras.matches(network, shapes, guessing.torch_name(recipe))


def _with_prefix(matches, prefix):
    if prefix is None:
        return matches
    wanted = prefix if not prefix or prefix.endswith(".") else f"{prefix}."
    return [match for match in matches if match.prefix == wanted or (wanted and match.prefix.endswith(f".{wanted}"))]


def _classes(recipe, matches, shapes, classes) -> int | None:
    """Number of classes with which all tensors of a match would have the right shapes; None where there is none."""
    if not any(match.wrong for match in matches):
        return None
    larger = {match.prefix: match for match in _matches(build.network(recipe, classes + 1), recipe, shapes)}
    for match in matches:
        growing = {target.name: target.shape for target in larger[match.prefix].targets}
        counts = {_extrapolated(classes, target, growing[target.name], shape) for target, _, shape in match.wrong}
        if len(counts) == 1:
            return counts.pop()
    return None


def _extrapolated(classes, target, with_one_more, shape):
    """Number of classes with which a weight would have a shape; None where it would not with any."""
    steps = np.subtract(with_one_more, target.shape) if len(with_one_more) == len(target.shape) else np.zeros(1)
    if len(shape) != len(steps) or not steps.any():
        return None
    axis = int(np.argmax(steps != 0))
    more, rest = divmod(shape[axis] - target.shape[axis], int(steps[axis]))
    fits = tuple(np.add(target.shape, more * steps)) == tuple(shape)
    return classes + more if not rest and fits and classes + more > 0 else None


def _equal(file, tensors, matches):
    """Whether several matches of a network have equal values."""
    first, *others = matches
    with files.as_user_error(file):
        for other in others:
            keys = {target.name: keys for target, keys in other.keys}
            for target, ours in first.keys:
                for one, two in zip(ours, keys.get(target.name, ()), strict=True):
                    if not np.array_equal(tensors[one].values(), tensors[two].values()):
                        return False
    return True


def _check_size(file, recipe, match, shapes):
    """Raises UserError where the file has more tensors of the same kind: a block that the recipe's network lacks."""
    used, start = match.used, len(match.prefix)
    patterns = {_pattern(key[start:]) for key in used if re.search(r"\d", key[start:])}
    others = [key for key in shapes if key.startswith(match.prefix) and key not in used]
    more = [key for key in others if _pattern(key[start:]) in patterns]
    if more:
        raise UserError(
            f"{file}: all weights of the recipe's {recipe.model.name} are there, but {len(more)} more of the same kind "
            f"too: {_listed(more)}; the file's network is larger. {guessing.advice(shapes, recipe)}"
        )


def _pattern(key):
    return re.sub(r"\d+", "#", key)


def _ambiguous(file, recipe, matches):
    listed = "; ".join(counted(match) for match in matches)
    return (
        f"{file}: holds several networks of the recipe's {recipe.model.name} with different values: {listed}. "
        "Choose one with --prefix."
    )


def _misfit(file, recipe, matches, shapes):
    best = matches[0]
    mismatches = [f"{target.name} needs {target.shape}, {key} has {shape}" for target, key, shape in best.wrong]
    used = best.used
    unused = {key: shape for key, shape in shapes.items() if key not in used}
    mismatches += [
        f"{target.name} needs {best.prefix}{target.key} {target.shape}, {_of_shape(target, unused)}"
        for target in best.missing
        if not target.is_optional
    ]
    more = f"; and {len(mismatches) - SHOWN} more" if len(mismatches) > SHOWN else ""
    return (
        f"{file}: is not of the recipe's network, {recipe.model.name}: {len(best.keys)} of {_size(best)} weights fit. "
        f"{'; '.join(mismatches[:SHOWN])}{more}. {guessing.advice(shapes, recipe)}"
    )


def _of_shape(target, shapes):
    same = [key for key, shape in shapes.items() if target.takes(shape)]
    return f"which is absent; of this shape: {_listed(same)}" if same else "which is absent"


def _hint(shapes):
    return f"The file's keys are {_listed(list(shapes))}."


def _listed(keys):
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")


def _is_network(match):
    """Whether a match has so many weights that its tensors are a network."""
    return len(match.keys) >= SHARE_OF_A_NETWORK * _size(match)


def _size(match):
    return sum(not target.is_optional for target in match.targets)
