"""Runs that other runs depend on: reused where they are finished, else trained first."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs.folder import RunFolder


def reuse_or_train(folder: Path, recipe: Recipe, train: Callable[..., RunFolder], *, title: str) -> RunFolder:
    """The finished run of a recipe, trained to its end where it is not yet.

    Its name holds a digest of the whole recipe and of all that it depends on, so that no other run is taken for it.

    Args:
        folder: The folder in which its run folder lies.
        recipe: Its recipe.
        train: Function (recipe, path, resume=, title=) that trains it.
        title: The run's part in the whole, such as "teacher", for messages.
    """
    text = "".join(resolve.to_toml(part) for part in (recipe, *resolve.dependencies(recipe)))
    name = f"{recipe.name}-{recipe.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    run = RunFolder(folder / name, recipe)
    if run.finished:
        print(f"{title} {name}: reused")
        return run
    print(f"{title} {name}:")
    return train(recipe, run.path, resume=True, title=title)
