"""Names of the classes of imported weights, which a file of weights does not hold."""

from collections.abc import Sequence
from pathlib import Path

from asc_tf import dataset
from asc_tf.errors import UserError
from asc_tf.recipe import labels as label_lists
from asc_tf.recipe.schema import Recipe


def resolve(file: str | Path, recipe: Recipe, labels: Sequence[str], classes: int) -> tuple[tuple[str, ...], str]:
    """Names of a network's classes, and where they are from, in words.

    Args:
        file: The file of weights, for errors.
        recipe: Its recipe.
        labels: The names of --labels; empty for those of the recipe.
        classes: Number of the network's classes.

    Raises:
        UserError: The number of names is not that of the classes.
    """
    names, source = (tuple(labels), "--labels") if labels else _of_recipe(file, recipe, classes)
    if len(names) != classes:
        raise UserError(
            f"{file}: its network has {classes} classes, and {source} has {len(names)} names. Name the classes "
            f"with --labels, in order: with commas, a file with a name a line, or {' or '.join(label_lists.names())}."
        )
    assumed = not labels and not recipe.labels
    return (
        names,
        f"{source}, TAKEN BECAUSE THE NUMBER FITS: the file has no names of its classes" if assumed else source,
    )


def named(recipe: Recipe, labels: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes of a new head.

    Args:
        recipe: The recipe.
        labels: The names of --labels; empty for those of the recipe.

    Raises:
        UserError: The recipe's dataset cannot be read for them.
    """
    return tuple(labels) or recipe.labels or dataset.classes(recipe)


def check(labels: Sequence[str]) -> None:
    """Checks the names of classes.

    Args:
        labels: The names.

    Raises:
        UserError: A name is there twice, or has spaces.
    """
    if len(set(labels)) < len(labels) or any(label.split() != [label] for label in labels):
        raise UserError(f"--labels {','.join(labels)}: write every class once, without spaces.")


def _of_recipe(file, recipe, classes):
    if recipe.labels:
        return recipe.labels, "the recipe's labels"
    try:
        names = dataset.classes(recipe)
    except UserError as error:
        raise UserError(
            f"{file}: its network has {classes} classes, and their names cannot be taken from the recipe's dataset: "
            f"{error} Or name the classes with --labels, in order."
        ) from error
    return names, f"the recipe's dataset, {recipe.dataset.name}"
