"""Recipes of the best trials, as files that train as they are."""

import dataclasses
import json
import shlex
from pathlib import Path

from asc_tf.errors import printable
from asc_tf.recipe import overrides, resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import SearchCandidate


def text(plan: SearchPlan, candidate: SearchCandidate, file: Path) -> str:
    """The recipe of a finished trial with its scores as comments.

    Args:
        plan: The search.
        candidate: The trial.
        file: Where the recipe will be.
    """
    recipe = dataclasses.replace(plan.candidate(candidate.settings), seed=plan.seeds[0])
    seeds = ", ".join(f"seed {seed} {value:.4f}" for seed, value in candidate.values.items())
    size = candidate.size
    lines = [
        f"Trial {candidate.number} of a search of {recipe.name} over {plan.space.file.stem}.",
        f"{plan.objective.key} on the validation split: {candidate.objective:.4f} ({seeds}); score "
        f"{candidate.score:.4f}.",
        f"{size.parameters:,} parameters, {size.bytes:,} bytes, {size.macs:,} MACs, {size.ram:,} bytes of activations.",
        f"    {_command(recipe, file)}",
    ]
    if plan.trained(recipe, recipe.seed).quantise != recipe.quantise:
        lines.insert(-1, "The trial had another [quantise] than this recipe: it is not needed for that figure.")
    head = "".join(f"# {printable(line)}\n" for line in lines)
    return head + resolve.to_toml(_with_paths(recipe))


def _command(recipe, file):
    """The command that trains it, with what was set for the recipes that it depends on."""
    names = dict.fromkeys(one.name for one in resolve.dependencies(recipe))
    words = ["asc-tf", "train", str(file)]
    for change in recipe.changes.values:
        for name in names:
            if overrides.matches(change, name):
                words += ["--set", f"{name}:{change.path}={json.dumps(change.value)}"]
    if recipe.changes.data is not None:
        words += ["--data", recipe.changes.data]
    return shlex.join(words)


def _with_paths(recipe: Recipe) -> Recipe:
    """The recipe with the paths of recipes that lie beside its file, where the new file does not."""
    beside = Path(recipe.file).parent

    def path(name):
        file = resolve.find(name, beside=beside)
        return name if resolve.SHIPPED in file.parents else str(file.absolute())

    teachers = tuple(dataclasses.replace(one, recipe=one.recipe and path(one.recipe)) for one in recipe.teacher)
    recipe = dataclasses.replace(recipe, teacher=teachers)
    if recipe.init and recipe.init.recipe:
        return dataclasses.replace(recipe, init=dataclasses.replace(recipe.init, recipe=path(recipe.init.recipe)))
    return recipe
