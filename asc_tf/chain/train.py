"""Training of a recipe with all that it depends on, from audio files to an evaluated int8 file."""

import functools
from collections.abc import Sequence
from pathlib import Path

from asc_tf import build, dataset
from asc_tf.chain.check import check
from asc_tf.data import batches
from asc_tf.dataset import LoadedDataset
from asc_tf.evaluation import evaluate
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import folder as run_folder
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder
from asc_tf.training import initial_weights, teacher_runs
from asc_tf.training.distribution import SINGLE_PROCESS, Distribution
from asc_tf.training.fit import fit
from asc_tf.training.teacher_runs import TeacherRun
from export.device import comparison
from export.quantisation import run as quantisation


def train(
    recipe: Recipe | str | Path,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    distribution: Distribution = SINGLE_PROCESS,
) -> TrainedRun:
    """Trains a recipe: data, initial weights, teachers, network, quantisation, evaluation.

    Runs that it depends on are trained first, or reused, in folders beside `out`. What is wrong in any of the recipes
    is found before training starts.

    Args:
        recipe: A recipe, the name of a shipped one, or a TOML file.
        out: The run folder; runs/NAME of the recipe by default.
        resume: Whether an unfinished run in `out` is resumed.
        distribution: The processes and devices that train together; this process does its part.

    Returns:
        The finished run.

    Raises:
        UserError: A recipe, its data or the folder is wrong, or the loss is not a number.
    """
    recipe = recipe if isinstance(recipe, Recipe) else resolve.load(recipe)
    resolve.dependencies(recipe)  # raises UserError for a circle
    out = Path(out or f"runs/{recipe.name}")
    return TrainedRun(_train(recipe, out, resume=resume, title="student", distribution=distribution))


def _train(
    recipe: Recipe, out: Path, *, resume: bool, title: str, distribution: Distribution = SINGLE_PROCESS
) -> RunFolder:
    checked = check(recipe, distribution)
    run, data = distribution.on_chief(
        lambda: _start(recipe, out, resume=resume),
        then=lambda: (run_folder.open_shared(out, recipe), dataset.load(recipe, quiet=True)),
    )
    train_first = functools.partial(_train, distribution=distribution)
    initial = initial_weights.initial_run(run, data.classes, train_first)
    teachers = teacher_runs.reuse_or_train(run, checked.teachers, data, train_first)
    columns = teacher_runs.stored_targets(run, teachers, data, distribution)
    source = build.source(recipe, data, data.train, columns)
    fit(
        run,
        source,
        data,
        title=title,
        distribution=distribution,
        initial=initial,
        teachers=teachers,
        embedding_sizes=checked.embedding_sizes,
    )
    distribution.on_chief(lambda: _finish(run, source, data, teachers))
    return run


def _start(recipe: Recipe, out: Path, *, resume: bool) -> tuple[RunFolder, LoadedDataset]:
    """The run folder and the dataset, with all files written that training needs."""
    run = run_folder.create(out, recipe, resume=resume)
    data = dataset.load(recipe)
    run.write(layout.LABELS, "\n".join(data.classes) + "\n")
    counts = ", ".join(f"{len(getattr(data, split)):,} {split}" for split in ("train", "validation", "test"))
    print(f"{recipe.name}: {counts} clips of {recipe.data.segment_s:g} s, {len(data.classes)} classes", flush=True)
    build.measure_normalisation(run, data)
    return run, data


def _finish(run: RunFolder, source: batches.Source, data: LoadedDataset, teachers: Sequence[TeacherRun]) -> None:
    """Quantises the network where the recipe has [quantise], and evaluates it."""
    trained = TrainedRun(run)
    if run.recipe.quantise and not run.has(layout.PARITY):
        from_teachers = run.recipe.quantise.distil_from == "teachers"
        online = teacher_runs.online(run, teachers) if from_teachers else None
        quantisation.quantise(trained, source, data, online)
        comparison.write_report(trained, data, thorough=False)
    evaluate.evaluate(trained, data)
