"""The files with the results of a search."""

from pathlib import Path

from asc_tf.runs import atomic
from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import Records
from asc_tf.tuning.report import importance, page, pareto, recipes, tables

PAGE, MARKDOWN, CSV, BEST = "search.html", "search.md", "trials.csv", "best"


def write(plan: SearchPlan, folder: Path, records: Records) -> None:
    """Writes page, tables and the recipes of the best trials: those on the Pareto front of score and MACs.

    Args:
        plan: The search.
        folder: Its folder; the caller holds its lock.
        records: Its records.
    """
    finished = [one for one in tables.ranked(plan, records) if one.status == "finished"]
    sign = 1 if plan.objective.direction == "max" else -1
    scores = [sign * one.score for one in finished]
    matter = importance.importances([one.settings for one in finished], scores) if finished else {}
    atomic.write(folder / PAGE, page.page(plan, records, matter))
    atomic.write(folder / MARKDOWN, tables.to_markdown(plan, records, matter))
    atomic.write(folder / CSV, tables.to_csv(plan, records))
    front = pareto.front(scores, [one.size.macs for one in finished]) if finished else []
    _write_best(plan, folder / BEST, [finished[index] for index in reversed(front)])


def _write_best(plan, folder, best):
    """Recipes of the best trials, the best score first; those of before are removed."""
    folder.mkdir(exist_ok=True)
    names = {f"{rank}_trial{one.number:04d}.toml": one for rank, one in enumerate(best, start=1)}
    for name, one in names.items():
        atomic.write(folder / name, recipes.text(plan, one, folder / name))
    for file in folder.glob("*_trial*.toml"):
        if file.name not in names:
            file.unlink()
