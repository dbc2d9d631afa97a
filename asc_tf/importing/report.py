"""What became of every tensor of an imported file: a summary, and a line for each."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from asc_tf.checkpoints import state_dict
from asc_tf.importing import guessing
from asc_tf.importing.fitting import Fit, Tensors, counted
from asc_tf.recipe.schema import Recipe

SHOWN = 3  # classes or keys of a line of the summary


def summary(file: str | Path, recipe: Recipe, fit: Fit, tensors: Tensors, labels: Sequence[str], source: str) -> str:
    """A few lines on an import.

    Args:
        file: The file of weights.
        recipe: Recipe of the network.
        fit: The network and its tensors.
        tensors: All tensors of the file by key.
        labels: Names of the classes.
        source: Where they are from, in words.
    """
    shown = ", ".join(labels[:SHOWN]) + (f", ... {labels[-1]}" if len(labels) > SHOWN else "")
    reasons = Counter(state_dict.ignored_because(key) for key in _ignored(fit, tensors))
    lines = _head(file, recipe, fit)
    lines += [f"ignored  {number} tensors: {reason}" for reason, number in reasons.items()]
    return "\n".join([*lines, f"classes  {len(labels)} ({shown}): {source}"])


def details(file: str | Path, recipe: Recipe, fit: Fit, tensors: Tensors, labels: Sequence[str], source: str) -> str:
    """A line for every tensor of the file and every weight of the network; arguments as of `summary`."""
    lines = _head(file, recipe, fit)
    lines += [f"classes  {', '.join(labels)}: {source}"]
    lines += [f"mapped   {key} -> {target.name}" for target, keys in fit.match.keys for key in keys]
    by_recipe = [target for target in fit.match.missing if target.is_optional]
    lines += [f"set      {target.name}: by the recipe; the file does not hold it" for target in by_recipe]
    lines += [f"ignored  {key}: {state_dict.ignored_because(key)}" for key in _ignored(fit, tensors)]
    return "\n".join(lines)


def _ignored(fit, tensors):
    used = fit.match.used
    return [key for key in tensors if key not in used]


def _head(file, recipe, fit):
    where = f", keys with the prefix '{fit.match.prefix}'" if fit.match.prefix else ""
    lines = [f"{Path(file).name}: all {len(fit.match.keys)} weights of {recipe.model.name}{where}"]
    lines += [f"assumed  {key} = {value}: the shapes do not show it" for key, value in guessing.assumed(recipe).items()]
    if fit.head:
        lines += [f"initial  {', '.join(target.name for target in fit.head)}: a new head, to be trained by [init] run"]
    return lines + [f"another  network in the file, {counted(other)} fit; --prefix takes it" for other in fit.others]
