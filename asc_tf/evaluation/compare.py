"""Comparison of evaluated runs: mean and spread over seeds, paired differences, costs, what differs in recipes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asc_tf.errors import UserError
from asc_tf.evaluation import templates
from asc_tf.inference import evaluated
from asc_tf.metrics import bootstrap
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import folder
from asc_tf.runs.folder import RunFolder

FORMS = ("int8", "float")  # the first that all runs have is compared


class Evaluated(NamedTuple):
    """An evaluated run.

    Args:
        path: Its folder.
        recipe: Its recipe.
        scores: Content of metrics.json.
        tested: Content of predictions.npz: segments, recordings, labels, and probabilities by form.
    """

    path: Path
    recipe: Recipe
    scores: dict[str, Any]
    tested: dict[str, np.ndarray]


class Kind(NamedTuple):
    """Runs of one recipe that differ in their seeds.

    Args:
        name: Name of the recipe; with the folder where another kind has it too.
        runs: The runs.
    """

    name: str
    runs: list[Evaluated]

    def figures(self, form: str, *keys: str) -> list[float]:
        """A figure of metrics.json of every run.

        Args:
            form: "float" or "int8".
            keys: Where it stands below the form.
        """
        found = []
        for run in self.runs:
            value = run.scores[form]
            for key in keys:
                value = value.get(key, {}) if isinstance(value, dict) else {}
            found.append(value if isinstance(value, (int, float)) else np.nan)
        return found


def load(paths: Sequence[str | Path]) -> list[Evaluated]:
    """Reads evaluated runs of one test split.

    Args:
        paths: Run folders.

    Raises:
        UserError: A run is not evaluated, is multi-label, or tested other segments than the first.
    """
    runs = [_load(folder.load(path, systems=True)) for path in paths]
    first = runs[0]
    for run in runs[1:]:
        if not np.array_equal(run.tested["segments"], first.tested["segments"]):
            raise UserError(f"{run.path}: tested other segments than {first.path}; compare runs of one test split.")
        if not np.array_equal(run.tested["labels"], first.tested["labels"]):
            raise UserError(f"{run.path}: has other labels for the segments of {first.path}; evaluate both again.")
    return runs


def kinds(runs: Sequence[Evaluated]) -> list[Kind]:
    """The runs by recipe, in order of appearance; recipes that differ in `seed` alone are one."""
    by_recipe: dict[str, list[Evaluated]] = {}
    for run in runs:
        text = "\n".join(line for line in resolve.to_toml(run.recipe).splitlines() if not line.startswith("seed = "))
        by_recipe.setdefault(text, []).append(run)
    names = [of_recipe[0].recipe.name for of_recipe in by_recipe.values()]
    return [
        Kind(name if names.count(name) == 1 else f"{name} ({of_recipe[0].path.name})", of_recipe)
        for name, of_recipe in zip(names, by_recipe.values(), strict=True)
    ]


def table(compared: Sequence[Kind]) -> list[list[str]]:
    """Rows of cells, the first one the heads: accuracy in %, mean and standard deviation over seeds, and costs.

    Args:
        compared: The kinds of runs.
    """
    forms = [form for form in ("float", "int8") if any(form in run.scores for one in compared for run in one.runs)]
    groups = [key for key in ("seen devices", "unseen devices") if all(key in _first(one) for one in compared)]
    heads = ["recipe", "seeds"]
    for form in forms:
        heads += [f"{form}, %", *(f"{form}, {group}" for group in groups), f"{form}, log loss"]
    rows = [[*heads, "parameters", "bytes", "MACs"]]
    for one in compared:
        cells = [one.name, ", ".join(str(run.recipe.seed) for run in one.runs)]
        for form in forms:
            present = Kind(one.name, [run for run in one.runs if form in run.scores])
            cells.append(_spread([100 * value for value in present.figures(form, "macro_accuracy")]))
            cells += [_spread([100 * v for v in present.figures(form, group, "macro_accuracy")]) for group in groups]
            cells.append(_spread(present.figures(form, "log_loss"), digits=3))
        cost = _first(one)["cost"]
        rows.append([*cells, *(f"{cost[key]:,}" for key in ("parameters", "bytes", "macs"))])
    return rows


def differences(compared: Sequence[Kind]) -> list[dict[str, Any]]:
    """Every other kind against the first one, on the same segments.

    Args:
        compared: The kinds of runs.

    Returns:
        A dictionary a kind: "name"; "form"; "accuracy", points, and "log_loss": (difference of the means, lower, upper,
        share of the draws in which this kind is better); "recipe": what differs in the recipes.
    """
    first, result = compared[0], []
    for one in compared[1:]:
        form = next(form for form in FORMS if all(form in run.scores for run in (*first.runs, *one.runs)))
        sides = [[run.tested[form].astype(np.float64) for run in kind.runs] for kind in (first, one)]
        tested = first.runs[0].tested
        drawn = bootstrap.paired(tested["labels"], *sides, tested["recordings"])
        found = {"name": one.name, "form": form}
        for title, key, scale in (("accuracy", "macro_accuracy", 100), ("log_loss", "log_loss", 1)):
            means = [np.mean(kind.figures(form, key)) for kind in (first, one)]
            lower, upper, better = drawn[key]
            found[title] = scale * (means[1] - means[0]), scale * lower, scale * upper, better
        lines = resolve.differences(first.runs[0].recipe, one.runs[0].recipe)
        found["recipe"] = [line for line in lines if not line.startswith("seed: ")]
        result.append(found)
    return result


def text(compared: Sequence[Kind], found: Sequence[dict[str, Any]]) -> str:
    """The comparison in Markdown, for the console too.

    Args:
        compared: The kinds of runs.
        found: Their `differences`.
    """
    rows = table(compared)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    for one in found:
        lines += ["", f"{one['name']} against {compared[0].name}, {one['form']}:"]
        lines += [f"- {line}" for line in [*_difference_lines(one), *one["recipe"]]]
    return "\n".join(lines)


def page(compared: Sequence[Kind], found: Sequence[dict[str, Any]]) -> str:
    """The comparison as HTML, with accuracy over MACs and over bytes as pictures.

    Args:
        compared: The kinds of runs.
        found: Their `differences`.
    """
    heads, *rows = table(compared)
    found = [one | {"lines": _difference_lines(one)} for one in found]
    accuracies = [np.mean([_best(run)["macro_accuracy"] for run in one.runs]) for one in compared]
    points = {
        key: [(one.name, _first(one)["cost"][key], mean) for one, mean in zip(compared, accuracies, strict=True)]
        for key in ("macs", "bytes")
    }
    content = {"heads": heads, "rows": rows, "first": compared[0].name, "differences": found, "points": points}
    return templates.render("compare.html.jinja", content)


def _load(run: RunFolder) -> Evaluated:
    scores, tested = evaluated.read(run)
    if tested["labels"].ndim != 1:
        raise UserError(f"{run.path}: its clips have several classes; runs of one class a clip are compared.")
    return Evaluated(run.path, run.recipe, scores, tested)


def _best(run):
    """The scores of the form that goes onto the device where there is one."""
    return next(run.scores[form] for form in FORMS if form in run.scores)


def _first(one):
    return _best(one.runs[0])


def _spread(values, digits=1):
    known = [value for value in values if value == value]
    if not known:
        return "-"
    std = f" ± {np.std(known, ddof=1):.{digits}f}" if len(known) > 1 else ""
    return f"{np.mean(known):.{digits}f}{std}"


def _difference_lines(one):
    lines = []
    for title, key, digits in (("accuracy, points", "accuracy", 1), ("log loss", "log_loss", 3)):
        *values, better = one[key]
        difference, lower, upper = (f"{value:+.{digits}f}" for value in values)
        lines.append(f"{title}: {difference} ({lower} to {upper}), better in {100 * better:.0f} % of the draws")
    return lines
