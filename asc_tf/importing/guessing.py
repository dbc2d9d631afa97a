"""The family of networks and its settings that the shapes of a file's tensors show."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asc_tf import build
from asc_tf.checkpoints import to_keras
from asc_tf.checkpoints._tensor import StoredTensor
from asc_tf.errors import UserError
from asc_tf.recipe import registry
from asc_tf.recipe.schema import Part, Recipe

Shapes = Mapping[str, tuple[int, ...]]


class Candidate(NamedTuple):
    """Settings of a family with which its network fits a file.

    Args:
        recipe: A recipe with these settings.
        classes: Number of classes.
        prefix: Prefix of the network's keys.
    """

    recipe: Recipe
    classes: int
    prefix: str


def recipe_that_fits(
    file: str | Path, tensors: Mapping[str, StoredTensor], recipe: Recipe, prefix: str | None = None
) -> Recipe:
    """A recipe with the [model] that the shapes show; the same recipe where its own fits.

    Args:
        file: The file, for errors.
        tensors: Its tensors by key.
        recipe: The recipe whose other sections are taken.
        prefix: Prefix of the network, as of fitting.fit.

    Raises:
        UserError: No family fits, or several do.
    """
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    found = [one for one in candidates(shapes, recipe) if prefix is None or one.prefix.endswith(prefix)]
    models = {(one.recipe.model.name, repr(one.recipe.model.settings)): one.recipe for one in found}
    if not models:
        raise UserError(f"{file}: --guess: no settings of a known family fit all shapes: {', '.join(families())}.")
    if any(_visible(one) == _visible(recipe) for one in models.values()):
        return recipe
    if len(models) > 1:
        listed = "; ".join(f"'{one.prefix}' {described(one)}" for one in found)
        raise UserError(f"{file}: --guess: several networks are possible: {listed}. Choose one with --prefix.")
    return next(iter(models.values()))


def families() -> list[str]:
    """Names of the families whose settings can be inferred from shapes."""
    return [name for name in registry.names("model") if hasattr(registry.module("model", name), "guess")]


def candidates(shapes: Shapes, recipe: Recipe) -> list[Candidate]:
    """All settings of all families with which a network fits a file, each confirmed by building it.

    Args:
        shapes: Shape of every tensor of the file by key.
        recipe: The recipe whose other sections are taken; its [feature] gives the input's shape.
    """
    return [one for name in families() for one in _of_family(name, shapes, recipe) if _fits(one, shapes)]


def advice(shapes: Shapes, recipe: Recipe) -> str:
    """A sentence on the settings that would fit, for an error.

    Args:
        shapes: Shape of every tensor of the file by key.
        recipe: The recipe that does not fit.
    """
    found = candidates(shapes, recipe)
    if not found:
        return f"No settings of a known family fit all shapes: {', '.join(families())}."
    listed = "; or ".join(dict.fromkeys(described(one) for one in found))
    return f"The shapes are those of {listed}. --guess imports with these settings and writes the recipe."


def described(candidate: Candidate) -> str:
    """A candidate in words: family, settings, classes, and what shapes do not show.

    Args:
        candidate: The candidate.
    """
    (name, visible), hidden = _visible(candidate.recipe), assumed(candidate.recipe)
    settings = ", ".join(f"{key} = {value}" for key, value in visible.items())
    unseen = f"; {', '.join(hidden)} cannot be seen in shapes" if hidden else ""
    return f"{name} with {settings}, {candidate.classes} classes{unseen}"


def torch_name(recipe: Recipe) -> Callable[[str], str]:
    """Function from a layer's name to the original's; the name itself where the model's file has none.

    Args:
        recipe: The recipe of the network.
    """
    model = registry.module("model", recipe.model.name)
    return functools.partial(model.torch_name, **recipe.model.settings) if hasattr(model, "torch_name") else str


def assumed(recipe: Recipe) -> dict[str, Any]:
    """Settings of a recipe's network that no shape of a weight shows.

    Args:
        recipe: The recipe.
    """
    hidden = getattr(registry.module("model", recipe.model.name), "ASSUMED", ())
    return {key: recipe.model.settings[key] for key in hidden}


def _visible(recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """Family and settings that shapes show."""
    hidden = assumed(recipe)
    return recipe.model.name, {key: value for key, value in recipe.model.settings.items() if key not in hidden}


def _of_family(name, shapes, recipe) -> Iterator[Candidate]:
    module = registry.module("model", name)
    for prefix in _prefixes(module.SIGNATURE, shapes):
        inner = {key.removeprefix(prefix): shape for key, shape in shapes.items() if key.startswith(prefix)}
        try:
            guess = module.guess(inner)
            settings = registry.check("model", name, guess.settings)
        except (LookupError, ValueError, ArithmeticError, UserError):
            continue
        yield Candidate(dataclasses.replace(recipe, model=Part(name, settings)), guess.classes, prefix)


def _prefixes(signature, shapes):
    ends = [key for key in shapes if key == signature or key.endswith(f".{signature}")]
    return [key.removesuffix(signature) for key in ends]


def _fits(candidate, shapes):
    try:
        network = build.network(candidate.recipe, candidate.classes)
    except (UserError, ValueError):
        return False
    inner = {key: shape for key, shape in shapes.items() if key.startswith(candidate.prefix)}
    return to_keras.match(network, inner, torch_name(candidate.recipe)).fits
