"""Quantisation of a trained run to a checked int8 TFLite file.

Quantisation-aware training of the run's network, with its teachers or with its own float form as teacher, or
post-training quantisation, and conversion to TFLite. Every epoch writes a state to the run's quantise folder, from
which an interrupted run is resumed.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from asc_tf import build, dataset
from asc_tf.data import batches
from asc_tf.data.lock import locked, remove_unfinished
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.export.quantisation import calibration, convert, metadata, qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.inference.forms import Form
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import digests, files, layout, replace
from asc_tf.runs.folder import RunFolder, read_recipe
from asc_tf.training.fit import warmup_cosine

# Sections of a run's recipe that those of the recipe which quantises it replace.
REPLACED = ("seed", "dataset", "data", "augmentation", "train", "quantise")


def quantise(
    run: TrainedRun,
    source: batches.Source,
    data: LoadedDataset,
    online: Callable | None = None,
    *,
    on_step: Callable[[], None] = lambda: None,
) -> None:
    """Makes the int8 file and its metadata, by the [quantise] of the run's recipe; interrupted training is resumed.

    Args:
        run: A trained run.
        source: Segments of quantisation-aware training, with the stored outputs of teachers.
        data: The run's dataset.
        online: Function of online teachers, as Student takes it, or None.
        on_step: Called after every step of the training.
    """
    network, settings = build.load_network(run.folder, foldable=True), run.recipe.quantise
    tuned = RunFolder(run.path, run.recipe.without(settings.without))
    tuned.opened = run.folder.opened
    clips = calibration.calibration_batches(tuned, data)
    quantised = qat.quantise(to_tf_keras(network), clips, settings.float_layers)
    if settings.method == "qat":
        _train(tuned, quantised, source, build.forward(network), online, on_step)
    content = convert.convert(quantised)
    run.folder.write(layout.INT8, content)
    float_layers = convert.layers_in_float(content, convert.unquantised_layers(quantised))
    tree = metadata.tree(run.folder, run.network, content, float_layers)
    run.folder.write_json(layout.METADATA, tree)
    warnings = [f"WARNING: {text}" for text in metadata.limit_warnings(tree)]
    print("\n".join([*metadata.format_lines(tree), *warnings]), flush=True)


def quantise_anew(
    run: TrainedRun, recipe: Recipe, folder: Path, device: str | None = None
) -> tuple[TrainedRun, LoadedDataset]:
    """Makes int8 file and metadata anew with the clips, augmentation, batch size and [quantise] of another recipe.

    The recipe's classes may be others: where only the float network is the teacher, clips without labels are enough.

    Args:
        run: A trained or imported run.
        recipe: The recipe that quantises it.
        folder: Folder with the files of the run's network, which gets the new ones.
        device: Recording device to whose clips those of the recipe are limited; None for all.

    Returns:
        The run as `quantised_run` returns it, and the dataset of the recipe.

    Raises:
        UserError: The recipe has no [quantise], or needs labels or teachers that do not exist here.
    """
    if not recipe.quantise:
        fix = "add --set quantise.method=ptq, or name a recipe with [quantise] by --on"
        raise UserError(f"{recipe.file}: has no [quantise]; {fix}.")
    if recipe.quantise.distil_from == "teachers":
        raise UserError(
            f"{recipe.file}: quantise: teachers are computed by asc_tf.train only; write distil_from = 'float'."
        )
    sections = {key: getattr(recipe, key) for key in REPLACED}
    tuned = TrainedRun(RunFolder(folder, dataclasses.replace(run.recipe, **sections)))
    tuned.folder.opened = True
    _ = tuned.network  # a damaged run is found before its clips are loaded
    qat.check(build.network(tuned.recipe, len(run.labels), foldable=True), recipe.quantise.float_layers)
    data = dataset.load(tuned.recipe)
    data = data if device is None else _of_device(data, device)
    source = build.training_source(tuned.recipe, data)
    if data.classes != run.labels:
        source = _without_labels(recipe, source, len(run.labels))
    tuned.folder.write(layout.QUANTISE_RECIPE, resolve.to_toml(tuned.recipe))
    quantise(tuned, source, data)
    return tuned, data


def quantised_run(run: TrainedRun) -> TrainedRun:
    """The run with the recipe that its int8 file was made by, which may be another than its own.

    Raises:
        UserError: That recipe is damaged or of another run.
    """
    if not run.folder.has(layout.QUANTISE_RECIPE):
        return run
    file = run.path / layout.QUANTISE_RECIPE
    recipe = read_recipe(file)
    own = dataclasses.replace(recipe, **{key: getattr(run.recipe, key) for key in REPLACED})
    if different := resolve.differences(own, run.recipe):
        raise UserError(
            f"{file}: is of another run. Different (here, {layout.RECIPE}): {'; '.join(different[:3])}. Restore it "
            "from a copy, or make the int8 file anew with asc-tf export tflite RUN."
        )
    return TrainedRun(RunFolder(run.path, recipe))


def quantised_network(run: TrainedRun) -> Form:
    """The network of quantisation-aware training as it was when the int8 file was made of it."""
    recipe = quantised_run(run).recipe
    saved = run.folder.read(layout.QAT_STATE)
    network = to_tf_keras(build.load_network(run.folder, foldable=True))
    quantised = qat.quantise(network, None, recipe.quantise.float_layers)
    _restore(run.folder, saved, quantised, qat.optimizer(quantised))
    return Form(build.forward(quantised))


LABELS = ("label", "class_weights")  # the targets that do not come from a teacher


def distillation_targets(
    distil_from: str,
    step_batches: tf.data.Dataset,
    float_logits: Callable[[tf.Tensor], tf.Tensor],
    online: Callable | None,
) -> tuple[tf.data.Dataset, Callable | None]:
    """Training batches and online targets of quantisation-aware training.

    Args:
        distil_from: "teachers": the batches and online teachers as they are; "float": only the labels of the batches,
            and the float network as online teacher.
        step_batches: Dataset of (spectrograms, targets).
        float_logits: The float network.
        online: Function of online teachers, or None.
    """
    if distil_from == "teachers":
        return step_batches, online
    labels_only = step_batches.map(lambda x, targets: (x, {key: targets[key] for key in LABELS if key in targets}))
    return labels_only, lambda x: {"teacher": float_logits(x)}


def write_float16(run: TrainedRun) -> None:
    """Makes the TFLite file with weights in float16: half of the float file's bytes, computed in float, no clips."""
    content = convert.float16(to_tf_keras(build.load_network(run.folder, foldable=True)))
    remove_unfinished(run.path)
    tree = metadata.of_network(run.folder) | {"sha256": digests.sha256(content)}
    names = (layout.FLOAT16, layout.FLOAT16_METADATA)
    with (
        locked(run.path, wait=False),
        replace.together(run.path, needed=(), replaced=names) as folder,
    ):
        new = RunFolder(folder, run.recipe)
        new.write(layout.FLOAT16, content)
        new.write_json(layout.FLOAT16_METADATA, tree)


def _restore(run, saved, quantised, adam):
    """Sets a network and its optimizer to the state of the run's quantise folder; returns the losses of its epochs."""
    losses, made_from = saved.pop("losses"), saved.pop("made_from")
    expected = {key: value.shape for key, value in qat.state(quantised, adam).items()}
    if made_from != digests.network(run) or expected != {key: value.shape for key, value in saved.items()}:
        raise UserError(
            f"{run.path / layout.QAT_STATE}: is of another network than the run has now. "
            f"{files.of(layout.QAT_STATE).fix}"
        )
    qat.restore(quantised, adam, saved)
    return losses


def _of_device(data, device):
    """The segments of a device; where the training split has none of it all of that, with a line that states it."""
    if device not in data.column("device", data.train):
        print(f"no training clips of device {device}: those of all devices instead", flush=True)
    return data.of_device(device, or_all=("train", "test"))


def _without_labels(recipe, source, classes):
    """A source with other classes: one label for all clips, which no loss reads."""
    if recipe.quantise.label_weight:
        raise UserError(f"{recipe.file}: its classes are not the run's: quantise.label_weight must be 0.")
    none = {"class_weights": None, "balance": False}
    return dataclasses.replace(source, labels=np.zeros(len(source), np.int64), classes=classes, **none)


def _train(
    run: RunFolder,
    quantised: tf_keras.Model,
    source: batches.Source,
    float_logits: Callable[[tf.Tensor], tf.Tensor],
    online: Callable | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> None:
    """Quantisation-aware training to its last epoch, from the epoch where it stopped if it did."""
    recipe, settings = run.recipe, run.recipe.quantise
    steps = dataset.whole_steps(recipe, len(source))
    float_steps = recipe.train.epochs * steps  # its batches follow those of the float training
    adam, rows = qat.optimizer(quantised), []
    if run.has(layout.QAT_STATE):
        losses = _restore(run, run.read(layout.QAT_STATE), quantised, adam)
        rows = [{"epoch": n + 1, "loss": float(loss)} for n, loss in enumerate(losses)]

    def on_epoch(epoch, loss):
        rows.append({"epoch": epoch + 1, "loss": loss})
        print(f"int8 training  epoch {epoch + 1:3d}/{settings.epochs}  loss {loss:.4f}", flush=True)
        run.write_rows(layout.QAT_LOG, rows)
        losses = np.array([row["loss"] for row in rows])
        more = {"losses": losses, "made_from": np.array(digests.network(run))}
        run.write_arrays(layout.QAT_STATE, qat.state(quantised, adam) | more)

    rate = warmup_cosine(learning_rate=settings.learning_rate, warmup_steps=0, steps=settings.epochs * steps)
    first_step, last_step = float_steps + len(rows) * steps, float_steps + settings.epochs * steps
    step_batches = build.training_batches(run, source, first_step=first_step, last_step=last_step)
    step_batches, online = distillation_targets(settings.distil_from, step_batches, float_logits, online)
    qat.train(
        quantised,
        adam,
        step_batches,
        online=online,
        first_epoch=len(rows),
        epochs=settings.epochs,
        steps_per_epoch=steps,
        frozen_epochs=settings.frozen_epochs,
        learning_rate=lambda step: float(rate(step)),
        label_weight=settings.label_weight,
        temperature=distillation_temperature(recipe),
        form=recipe.distill.form if settings.distil_from == "teachers" else "textbook",
        on_epoch=on_epoch,
        on_step=on_step,
    )


def distillation_temperature(recipe: Recipe) -> float:
    """Temperature of the distillation in quantisation-aware training: its own, that of [distill], or 1."""
    if recipe.quantise.temperature is not None:
        return recipe.quantise.temperature
    return recipe.distill.temperature if recipe.distill else 1.0
