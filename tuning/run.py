"""A search from recipe and space to its results."""

from collections.abc import Sequence
from pathlib import Path

from asc_tf import dataset
from asc_tf.errors import UserError
from asc_tf.recipe.schema import Recipe
from asc_tf.tuning.engine import objective as objectives
from asc_tf.tuning.engine import plan as plans
from asc_tf.tuning.engine import tuners
from asc_tf.tuning.engine.budget import Limits
from asc_tf.tuning.engine.objective import Objective
from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import Records, SearchFolder
from asc_tf.tuning.engine.space import Space
from asc_tf.tuning.engine.worker import Worker
from asc_tf.tuning.report import results, tables


def search(
    recipe: Recipe,
    space: Space,
    *,
    trials: int,
    out: str | Path | None = None,
    tuner: str = "random",
    objective: str = "float.macro_accuracy",
    ptq: bool = False,
    seeds: Sequence[int] | None = None,
    limits: Limits | None = None,
    size_penalty: float = 0.0,
) -> Records:
    """Searches over settings of a recipe, or goes on with a search; prints its progress and writes its results.

    Any number of processes may call it with the same arguments at the same time.

    Args:
        recipe: The recipe of one network.
        space: The keys that are searched over.
        trials: Number of trials in all.
        out: Folder of the search; runs/search_RECIPE_SPACE by default.
        tuner: "random", "hyperband", "bayesian" or "grid".
        objective: Figure of the validation split, by its keys in metrics.json.
        ptq: Whether int8 files are made by post-training quantisation.
        seeds: Seeds of the runs of every trial; that of the recipe by default.
        limits: Largest sizes, the challenge's by default; candidates beyond are not trained and are no trials.
        size_penalty: Points that a network at a limit loses of the objective.

    Returns:
        The records of the search.

    Raises:
        UserError: The space does not fit the recipe, the data or the folder are wrong, or no trial was finished.
    """
    folder = Path(out or f"runs/search_{recipe.name}_{space.file.stem}")
    aim = Objective(objective, size_penalty)
    plan = SearchPlan(recipe, space, tuner, aim, limits or Limits(), tuple(seeds or [recipe.seed]), ptq, trials)
    plans.check(plan)
    tuners.check(plan.choice)
    data = dataset.load(recipe)
    objectives.check(aim, data)
    shared = SearchFolder(folder, plan.fixed)
    worker = Worker(plan, shared, data.classes, lambda records: results.write(plan, shared.path, records))
    records = worker.work()
    print(tables.summary(plan, records), flush=True)
    if not records.of_status("finished"):
        reasons = "; ".join(dict.fromkeys(one.reason for one in records.candidates if one.reason)) or "none was drawn"
        raise UserError(f"{folder}: no trial was finished: {reasons}")
    print(f"{folder / results.PAGE}: pictures; {folder / results.BEST}: recipes of the best", flush=True)
    return records
