"""The teachers of a run: their outputs as targets of the student."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from asc_tf import build, dataset
from asc_tf.data.crops import shifts
from asc_tf.dataset import LoadedDataset
from asc_tf.distillation import embedding, ensembles
from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe, Teacher
from asc_tf.runs import digests, layout
from asc_tf.runs.folder import RunFolder
from asc_tf.training import initial_weights, teacher_outputs
from asc_tf.training.distribution import SINGLE_PROCESS, Distribution
from asc_tf.training.network_cache import NetworkCache
from asc_tf.training.online_teachers import online_teachers


@dataclass(frozen=True)
class TeacherRun:
    """One run that is a teacher.

    Args:
        run: The run.
        layer: Layer of its embedding, or None.
        data: The student's dataset, prepared at the teacher's sample rate.
        outputs: The folder that has its stored outputs; None for the run's own.
    """

    run: TrainedRun
    layer: str | None
    data: LoadedDataset
    outputs: RunFolder | None = None


def check_run(recipe: Recipe, entry: Teacher, run: RunFolder, classes: Sequence[str]) -> None:
    """Checks that a run that [[teacher]] names can teach what it is to teach: logits of the same classes, or else its
    embedding.

    Args:
        recipe: The student's recipe.
        entry: The [[teacher]].
        run: The run.
        classes: Names of the student's classes.

    Raises:
        UserError: Its classes are others, or its head is not trained, and the recipe uses logits, merges them, or names
            no layer.
    """
    where = f"{recipe.file}: teacher.run = '{entry.run}'"
    different = initial_weights.difference(classes, run.labels)
    if run.has(layout.UNTRAINED):
        reason = "its head is not trained"
    elif different:
        reason = f"its classes are not those of the student: {different}"
    else:
        return
    if recipe.uses_logits or not entry.layer:
        quantise = recipe.quantise and recipe.quantise.distil_from == "teachers"
        float_form = ' and quantise.distil_from = "float"' if quantise else ""
        raise UserError(
            f"{where}: {reason}, so that it teaches its embedding alone: give this [[teacher]] a layer, and write "
            f"distill.teacher_weight = 0{float_form}."
        )
    if recipe.distill.ensemble == "weighted" or ensembles.depends_on_batch(recipe):
        raise UserError(
            f"{where}: {reason}, so that it teaches its embedding alone; ensemble merges logits, which "
            "distill.teacher_weight = 0 leaves out: leave ensemble out too."
        )


def check_length(recipe: Recipe, entry: Teacher, trained: Recipe, used: Recipe, networks: NetworkCache) -> None:
    """Checks, before any training, that the network of a run that [[teacher]] names takes the student's segments.

    Args:
        recipe: The student's recipe.
        entry: The [[teacher]].
        trained: The run's own recipe.
        used: The run's recipe on the student's data, with the run's classes as labels.
        networks: The networks built so far.

    Raises:
        UserError: It cannot be built for their length, or has other weights then.
    """
    if trained.data.segment_s == used.data.segment_s:
        return
    try:
        own, ours = (build.weight_shapes(networks.network(one, len(used.labels))) for one in (trained, used))
        reason = "its weights have other shapes then" if own != ours else ""
    except (UserError, ValueError) as error:
        reason = str(error).splitlines()[0]
    if reason:
        raise UserError(
            f"{recipe.file}: teacher.run = '{entry.run}': its network was trained on segments of "
            f"{trained.data.segment_s:g} s and cannot take those of {used.data.segment_s:g} s ({reason}). Name another "
            f"run, or set data.segment_s = {trained.data.segment_s:g}."
        )


def of_run(
    run: RunFolder,
    folders: Sequence[Sequence[RunFolder]],
    data: LoadedDataset,
    load: Callable[..., LoadedDataset] = dataset.load,
) -> list[TeacherRun]:
    """All teacher runs of a student, in the order of its recipe.

    Args:
        run: The student's run.
        folders: The finished runs of every [[teacher]].
        data: The student's dataset.
        load: Function (recipe, quiet=) that loads a dataset, for teachers of another sample rate.
    """
    teachers = []
    for entry, runs in zip(run.recipe.teacher, folders, strict=True):
        same_rate = dataset.sample_rate_hz(runs[0].recipe) == dataset.sample_rate_hz(run.recipe)
        teacher_data = data if same_rate else load(runs[0].recipe, quiet=True)
        outputs = _outputs_folder(run, runs[0]) if entry.run else None
        teachers += [TeacherRun(TrainedRun(folder), entry.layer, teacher_data, outputs) for folder in runs]
    return teachers


def stored_targets(
    run: RunFolder, teachers: Sequence[TeacherRun], data: LoadedDataset, distribution: Distribution = SINGLE_PROCESS
) -> dict[str, np.ndarray]:
    """Outputs of the teachers for the training segments, as columns of batches.Source.

    Fits the weights of the ensemble first, where the recipe has them fitted.

    Args:
        run: The student's run.
        teachers: Its teachers.
        data: Its dataset.
        distribution: The processes that train together; each computes a part.

    Returns:
        {"teacher": (segments, classes) merged logits or, where merging depends on the batch,
        (segments, runs, classes), where the recipe uses logits; "embedding": (segments, sum of sizes) where teachers
        have layers}. Empty without teachers, and with online ones.
    """
    if not teachers:
        return {}
    distill, uses_logits = run.recipe.distill, run.recipe.uses_logits
    if distill.ensemble == "weighted" and uses_logits:
        fit_ensemble(run, teachers, data, distribution)
    if distill.online:
        return {}
    outputs = [
        teacher_outputs_for(teacher, data, "train", crops=distill.crops, distribution=distribution)
        for teacher in teachers
    ]
    embeddings = [output["embedding"] for output in outputs if "embedding" in output]
    columns = {"embedding": np.concatenate(embeddings, axis=-1)} if embeddings else {}
    if uses_logits:
        logits = np.stack([output["logits"] for output in outputs], axis=1)  # (segments, runs, classes)
        merged = not ensembles.depends_on_batch(run.recipe)
        columns["teacher"] = np.asarray(ensembles.combiner(run)(logits.astype(np.float32))) if merged else logits
    return columns


def fit_ensemble(
    run: RunFolder, teachers: Sequence[TeacherRun], data: LoadedDataset, distribution: Distribution = SINGLE_PROCESS
) -> None:
    """Fits the weights of the ensemble's members on the validation segments and writes ensemble.json.

    A run that is resumed keeps those it was started with. Members that depend on the batch take all these segments as
    one batch.

    Args:
        run: The student's run.
        teachers: Its teachers.
        data: Its dataset.
        distribution: The processes that train together; each computes a part.
    """
    if run.has(layout.ENSEMBLE) and run.started:
        return
    crops = run.recipe.distill.crops
    logits = [
        teacher_outputs_for(
            dataclasses.replace(teacher, layer=None), data, "validation", crops=crops, distribution=distribution
        )["logits"]
        for teacher in teachers
    ]
    stacked = np.stack(logits, axis=1).astype(np.float32)  # (segments, runs, classes)
    members = np.asarray(ensembles.members(stacked, ensembles.groups(run.recipe)))
    fit = ensembles.fit_weights(members, data.labels(data.validation))
    names = {"members": ensembles.names(run.recipe)}
    distribution.on_chief(lambda: run.write_json(layout.ENSEMBLE, names | fit))


def online(run: RunFolder, teachers: Sequence[TeacherRun]) -> Callable | None:
    """The function of online teachers, as Student takes it; None where the recipe has none.

    Args:
        run: The student's run.
        teachers: Its teachers.
    """
    if not (teachers and run.recipe.distill.online):
        return None
    members = [(teacher.run, teacher.layer) for teacher in teachers]
    return online_teachers(run, members, ensembles.combiner(run) if run.recipe.uses_logits else None)


def teacher_outputs_for(
    teacher: TeacherRun, data: LoadedDataset, split: str, *, crops: int, distribution: Distribution = SINGLE_PROCESS
) -> dict[str, np.ndarray]:
    """Outputs of one teacher for a split of the student's dataset, means over the crops of every segment.

    Args:
        teacher: The teacher.
        data: The student's dataset.
        split: "train" or "validation".
        crops: Number of crops, see data/crops.py.
        distribution: The processes that train together; each computes a part.

    Returns:
        {"logits": (segments, classes), "embedding": (segments, size) where it has a layer}, float16.
    """
    rows = getattr(teacher.data, split)
    clips = teacher.data.names(rows)
    store = teacher_outputs.store_name(split, crops=crops, layer=teacher.layer)
    compute = _computation(teacher, rows, crops)
    outputs = teacher_outputs.outputs(
        teacher.run.folder, store, clips, compute, folder=teacher.outputs, distribution=distribution
    )
    if teacher.data is data:
        return outputs
    positions = teacher_outputs.positions(teacher.run.folder, clips, data.names(getattr(data, split)))
    return {name: values[positions] for name, values in outputs.items()}


def _outputs_folder(run, teacher):
    """The folder, beside a student's run, for outputs of a run that its recipe names, which itself stays as it is.

    Its name holds a digest of all that they depend on, so that students of the same clips share it.
    """
    depends_on = [digests.network(teacher), resolve.to_toml(teacher.recipe), *digests.of(run, [layout.CLIPS]).values()]
    digest = hashlib.sha256("".join(depends_on).encode()).hexdigest()[:8]
    return RunFolder(run.path.parent / f"{teacher.path.name}-outputs-{digest}", None)


def _computation(teacher, rows, crops):
    """A function of a slice of the rows that yields the teacher's outputs, batch after batch."""
    run = teacher.run

    @functools.cache  # loaded and traced once, and only where outputs are missing
    def network():
        where = f"teacher.{run.recipe.name}.layer"
        return build.forward(embedding.with_embedding(run.network, teacher.layer, where))

    def compute(part: slice) -> Iterator[dict[str, np.ndarray]]:
        sources = [
            build.source(run.recipe, teacher.data, rows[part], shift=shift)
            for shift in shifts(crops, dataset.segment_samples(run.recipe))
        ]
        for crop_batches in zip(*(build.evaluation_batches(run.folder, source) for source in sources), strict=True):
            outputs = [network()(spectrograms) for spectrograms in crop_batches]
            yield {name: np.mean([crop[name] for crop in outputs], axis=0) for name in outputs[0]}

    return compute
