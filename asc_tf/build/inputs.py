"""Inputs of networks: front end, normalisation, and batches of training and evaluation."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from asc_tf import dataset
from asc_tf.data import batches, crops
from asc_tf.dataset import LoadedDataset
from asc_tf.distillation import ensembles
from asc_tf.errors import UserError, nearest
from asc_tf.features import _normalise
from asc_tf.recipe import registry
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import files, layout
from asc_tf.runs.folder import RunFolder


def front_end(recipe: Recipe) -> keras.Layer:
    """The recipe's feature layer: waves (batch, samples) to spectrograms (batch, bands, frames, channels)."""
    return registry.entry("feature", recipe.feature.name)(**recipe.feature.settings)


def normaliser(run: RunFolder) -> keras.Layer:
    """The layer of the recipe's [normalise], applied after the front end and the augmentation of spectrograms."""
    if run.recipe.normalise is None:
        return keras.layers.Identity(dtype="float32")
    return _normalise.Normalisation(**normalisation(run))


def normalisation(run: RunFolder) -> dict[str, Any]:
    """Mean and std of [normalise], as the recipe states them or training measured them.

    Returns:
        {"mean", "std"}: numbers, or arrays with a value for every band; 0 and 1 without [normalise].

    Raises:
        UserError: They are not measured yet, or damaged.
    """
    section = run.recipe.normalise
    if section is None:
        return {"mean": 0.0, "std": 1.0}
    if section.by == "constants":
        return {"mean": section.mean, "std": section.std}
    measured, shape = run.read(layout.NORMALISATION), input_shape(run.recipe)
    if measured["mean"].shape != (shape[0], 1, shape[2]):
        raise UserError(
            f"{run.path / layout.NORMALISATION}: has values of the shape {measured['mean'].shape}, but the front end "
            f"has {shape[0]} bands and {shape[2]} channels. {files.of(layout.NORMALISATION).fix}"
        )
    return measured


def measure_normalisation(run: RunFolder, data: LoadedDataset) -> None:
    """Measures mean and std of every band on the training clips, with [normalise] by = "bands".

    A run that is resumed keeps those it was started with.
    """
    recipe = run.recipe
    if recipe.normalise is None or recipe.normalise.by != "bands" or run.started:
        return
    layer = front_end(recipe)
    chunks = batches.evaluation(source(recipe, data, data.train), batches.CHUNK)
    spectrograms = chunks.map(lambda batch: layer(batch["wave"]), batches.PARALLEL)
    run.write_arrays(layout.NORMALISATION, _normalise.moments(spectrograms))


def input_shape(recipe: Recipe) -> tuple[int, int, int]:
    """Shape of the network's input, (bands, frames, channels)."""
    return tuple(front_end(recipe).compute_output_shape((None, dataset.segment_samples(recipe))))[1:]


def network_input(run: RunFolder) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from waves to inputs of the run's network: front end, then normalisation."""
    layer, normalise = front_end(run.recipe), normaliser(run)
    return lambda wave: normalise(layer(wave))


def source(
    recipe: Recipe,
    data: LoadedDataset,
    rows: np.ndarray,
    columns: Mapping[str, np.ndarray] | None = None,
    *,
    shift: int = 0,
) -> batches.Source:
    """The source of batches of some prepared segments.

    Args:
        recipe: The recipe.
        data: Its dataset.
        rows: Rows of the prepared segments.
        columns: Further arrays, a row a segment, which batches contain too.
        shift: Samples by which every segment starts later, see data/crops.py.
    """
    return batches.Source(
        read=crops.shifted(data.prepared, shift),
        full_scale=data.prepared.full_scale,
        samples=dataset.segment_samples(recipe),
        rows=rows,
        labels=data.label_indices(rows),
        label_sets=data.label_sets,
        classes=len(data.classes),
        devices=data.column("device", rows),
        columns=columns or {},
    )


def training_source(
    recipe: Recipe, data: LoadedDataset, columns: Mapping[str, np.ndarray] | None = None
) -> batches.Source:
    """The source of batches to train on: all training segments, with the class weights and balance of [train].

    Args:
        recipe: The recipe.
        data: Its dataset.
        columns: As of `source`.

    Raises:
        UserError: A class weight is missing or of no class, or a class has no training clips.
    """
    every = source(recipe, data, data.train, columns)
    return dataclasses.replace(
        every,
        class_weights=class_weights(recipe, data.classes, every.labels),
        balance=recipe.train.balance,
        max_shift=round(recipe.train.max_shift * every.samples),
        read_shifted=functools.partial(crops.windows, data.prepared),
    )


def class_weights(recipe: Recipe, classes: Sequence[str], labels: np.ndarray) -> np.ndarray | None:
    """Factors of the cross entropy by class, with a mean of 1 over the training segments; None where all are equal.

    Args:
        recipe: The recipe.
        classes: Names of the classes.
        labels: (segments,) class numbers of the training segments.

    Raises:
        UserError: A weight is missing or of no class, or a class has no training segments.
    """
    chosen = recipe.train.class_weights
    if chosen is None and not recipe.train.balance:
        return None
    counts = np.bincount(labels, minlength=len(classes))
    if absent := [name for name, count in zip(classes, counts, strict=True) if not count]:
        raise UserError(f"{recipe.file}: train: class '{absent[0]}' has no training clips, so it cannot be weighted.")
    if chosen is None:
        return None
    if chosen == "balanced":
        return len(labels) / (len(classes) * counts)
    for names, known, fault in ((chosen, classes, "is not a class"), (classes, chosen, "has no weight")):
        if wrong := [name for name in names if name not in known]:
            raise UserError(f"{recipe.file}: train.class_weights: '{wrong[0]}' {fault}. {nearest(wrong[0], known)}")
    weights = np.array([chosen[name] for name in classes], np.float64)
    return weights * len(labels) / (counts @ weights)


def training_batches(
    run: RunFolder, source: batches.Source, *, first_step: int, last_step: int, worker: int = 0, workers: int = 1
) -> tf.data.Dataset:
    """Augmented training batches, a pure function of recipe and step.

    Args:
        run: The run.
        source: Its training segments.
        first_step: First step.
        last_step: Step before which the dataset ends.
        worker: Of several processes that share every batch, the index of this one (see batches.training). Waves are
            augmented by the number of their chunk and front ends vary by the step, as for one process; spectrograms
            are augmented, and mixed, within a process's part, with its own draws.
        workers: Number of these processes.

    Returns:
        (spectrograms, targets) of every step; targets are what distillation.terms.total takes: "label", and the
        stored outputs of teachers.
    """
    recipe, normalise = run.recipe, normaliser(run)
    size = batches.worker_share(recipe.train.batch_size, worker, workers)
    chunks_a_step = size // batches.chunk_size(size)
    to_mel, on_waves, on_mels = _training_front_end(recipe), augmenter(recipe, "wave"), augmenter(recipe, "mel")
    merge_teachers = ensembles.merge_in_batch(run)

    def from_chunk(batch, number):
        return to_mel(on_waves(batch, _seed(recipe, number)), _seed(recipe, number // (chunks_a_step * workers)))

    def from_step(chunks, step):
        batch = {key: tf.reshape(value, (size, *value.shape[2:])) for key, value in chunks.items()}
        batch = on_mels(merge_teachers(batch), _seed(recipe, step * workers + worker))
        return normalise(batch["mel"]), targets(batch) | weights

    weights = {}
    if source.class_weights is not None:
        weights = {"class_weights": tf.constant(np.tile(source.class_weights, (size, 1)), tf.float32)}
    chunks = batches.training(
        source,
        batch_size=recipe.train.batch_size,
        seed=recipe.seed,
        first_step=first_step,
        last_step=last_step,
        worker=worker,
        workers=workers,
    )
    steps = chunks.map(from_chunk, batches.PARALLEL).batch(chunks_a_step, drop_remainder=True)
    numbered = tf.data.Dataset.zip(steps, tf.data.Dataset.range(first_step, last_step))
    return numbered.map(from_step, batches.PARALLEL).prefetch(2)


def targets(batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The entries of an augmented batch that are targets of the loss."""
    return {key: value for key, value in batch.items() if key not in ("mel", "device")}


def augmented(recipe: Recipe, batch: dict[str, tf.Tensor], step: int | tf.Tensor) -> dict[str, tf.Tensor]:
    """A batch augmented as in training.

    Args:
        recipe: The recipe.
        batch: "wave" (batch, samples), "label" and "device".
        step: Number that seeds the draws.

    Returns:
        The batch with "mel" (batch, bands, frames, channels) in place of "wave".
    """
    seed = _seed(recipe, step)
    batch = _training_front_end(recipe)(augmenter(recipe, "wave")(batch, seed), seed)
    return augmenter(recipe, "mel")(batch, seed)


def augmenter(recipe: Recipe, stage: str) -> Callable[[dict, tf.Tensor], dict]:
    """A function (batch, seed) -> batch that applies the recipe's augmentations of a stage, "wave" or "mel"."""
    parts = [(registry.module("augmentation", part.name), part.settings) for part in recipe.augmentation]
    chosen = [(index, module, settings) for index, (module, settings) in enumerate(parts) if stage == module.ON]
    extra = (dataset.sample_rate_hz(recipe),) if stage == "wave" else ()

    def augment(batch, seed):
        for index, module, settings in chosen:
            batch = module.apply(batch, tf.random.experimental.stateless_fold_in(seed, index), *extra, **settings)
        return batch

    return augment


def evaluation_batches(run: RunFolder, source: batches.Source, batch_size: int = 256) -> tf.data.Dataset:
    """Inputs of the network (batch, bands, frames, channels) of all segments in order, not augmented."""
    to_input = network_input(run)
    chunks = batches.evaluation(source, batches.CHUNK).map(lambda batch: to_input(batch["wave"]), batches.PARALLEL)
    return chunks.rebatch(batch_size).prefetch(2)


def outputs(logits: Callable[[tf.Tensor], Any], inputs: tf.data.Dataset) -> np.ndarray:
    """Logits (clips, classes) of all batches of a dataset.

    Args:
        logits: Function from a batch to its logits.
        inputs: Batches of what it takes.
    """
    return np.concatenate([np.asarray(logits(x)) for x in inputs])


def _training_front_end(recipe):
    """A function (batch, the step's seed) -> batch with "mel" in place of "wave".

    A front end that varies draws with that seed, so that all chunks of a step share one draw.
    """
    layer = front_end(recipe)

    def with_mel(batch, seed):
        wave = batch.pop("wave")
        if getattr(layer, "varies", False):
            # Folded with a number that no augmentation's index reaches.
            front_end_seed = tf.random.experimental.stateless_fold_in(seed, len(recipe.augmentation))
            return batch | {"mel": layer.varied(wave, front_end_seed)}
        return batch | {"mel": layer(wave)}

    return with_mel


def _seed(recipe, number):
    return tf.stack([tf.constant(recipe.seed, tf.int32), tf.cast(number, tf.int32)])
