"""What does a recipe make of its parts? The only module that knows every part."""

import dataclasses
import inspect

import keras
import numpy as np
import tensorflow as tf

from asc_tf import dataset
from asc_tf.data import audio, batches, crops
from asc_tf.distillation import ensembles
from asc_tf.distillation.student import Student
from asc_tf.errors import UserError
from asc_tf.features import _normalise
from asc_tf.recipe import registry

NORMALISATION = "normalisation.npz"


def front_end(recipe):
    """The recipe's feature layer: wave (batch, samples) to spectrogram (batch, bands, frames, channels)."""
    return registry.entry("feature", recipe.feature.name)(**recipe.feature.settings)


def normaliser(run):
    """What follows the front end and the augmentation of spectrograms: the recipe's [normalise], as a layer."""
    section = run.recipe.normalise
    if section is None:
        return keras.layers.Identity(dtype="float32")
    return _normalise.Normalise(**normalisation(run))


def normalisation(run):
    """{"mean", "std"} that the run's recipe states or that its training measured; 0 and 1 where it has none."""
    section = run.recipe.normalise
    if section is None:
        return {"mean": 0.0, "std": 1.0}
    if section.by == "constants":
        return {"mean": section.mean, "std": section.std}
    if not run.has(NORMALISATION):
        raise UserError(f"{run.path / NORMALISATION}: is missing; train the run first.")
    return run.read_arrays(NORMALISATION)


def measure_normalisation(run, data):
    """Measures what [normalise] by = "bands" asks for, on the training clips, into the run folder."""
    recipe = run.recipe
    if recipe.normalise is None or recipe.normalise.by != "bands" or run.has("state.npz"):
        return  # a run that goes on keeps what it began with
    layer = front_end(recipe)
    chunks = batches.evaluation(source(recipe, data, data.train), batches.CHUNK)
    spectrograms = chunks.map(lambda batch: layer(batch["wave"]), batches.PARALLEL)
    run.write_arrays(NORMALISATION, _normalise.moments(spectrograms))


def input_shape(recipe):
    """(bands, frames, channels) that the recipe's network sees."""
    return tuple(front_end(recipe).compute_output_shape((None, dataset.segment_samples(recipe))))[1:]


def network(recipe, classes, *, foldable=False):
    """The recipe's untrained network, its weights drawn from the recipe's seed.

    foldable: the form with the same weights and outputs whose batch norms fold into convolutions,
    for quantisation, where the model distinguishes the two.
    """
    keras.utils.set_random_seed(recipe.seed)
    build = registry.entry("model", recipe.model.name)
    form = {"foldable": foldable} if "foldable" in inspect.signature(build).parameters else {}
    return build(input_shape(recipe), classes, **form, **recipe.model.settings)


def student(recipe, classes, **settings):
    """The recipe's untrained network in a Student.  classes: names.  settings: the Student's that no recipe states."""
    return Student(
        network(recipe, len(classes)),
        distill=recipe.distill,
        hierarchy=recipe.hierarchy,
        classes=classes,
        multi_label=dataset.multi_label(recipe),
        **settings,
    )


def source(recipe, data, rows, columns=None, *, shift=0):
    """The batches.Source of some rows of the data, with its `columns`.

    shift: samples by which each is heard later than it begins, see data/crops.py.
    """
    return batches.Source(
        read=crops.shifted(data.prepared, shift),
        samples=dataset.segment_samples(recipe),
        rows=rows,
        labels=data.label_numbers(rows),
        label_sets=data.label_sets,
        classes=len(data.classes),
        devices=data.column("device", rows),
        columns=columns or {},
    )


def training_batches(run, source, *, first_step, last_step, worker=0, workers=1):
    """(spectrogram, targets) of every step, augmented; step by step the same for the same recipe.

    targets: as distillation.terms.total takes them: "label", and what stored teachers said.
    worker, workers: the part of the batch that one of several processes trains on (see batches.training).  Waves
    are augmented by the chunk's number and front ends vary by the step, as for one worker; spectrograms are
    augmented, and mixed, within the worker's part, with draws of its own.
    """
    recipe, normalise = run.recipe, normaliser(run)
    size = batches.shared(recipe.train.batch_size, worker, workers)
    own_chunks = size // batches.chunk_size(size)
    to_mel, on_waves, on_mels = _in_training(recipe), augmenter(recipe, "wave"), augmenter(recipe, "mel")
    with_one_teacher = ensembles.in_step(run)

    def from_chunk(batch, number):
        return to_mel(on_waves(batch, _seed(recipe, number)), _seed(recipe, number // (own_chunks * workers)))

    def from_step(chunks, step):
        batch = {key: tf.reshape(value, (size, *value.shape[2:])) for key, value in chunks.items()}
        batch = on_mels(with_one_teacher(batch), _seed(recipe, step * workers + worker))
        return normalise(batch["mel"]), targets(batch)

    chunks = batches.training(
        source,
        batch_size=recipe.train.batch_size,
        seed=recipe.seed,
        first_step=first_step,
        last_step=last_step,
        worker=worker,
        workers=workers,
    )
    steps = chunks.map(from_chunk, batches.PARALLEL).batch(own_chunks, drop_remainder=True)
    numbered = tf.data.Dataset.zip(steps, tf.data.Dataset.range(first_step, last_step))
    return numbered.map(from_step, batches.PARALLEL).prefetch(2)


def targets(batch):
    """What of an augmented batch is not heard but learnt."""
    return {key: value for key, value in batch.items() if key not in ("mel", "device")}


def augmented(recipe, batch, step):
    """A batch of "wave", "label" and "device" with the "mel" that training would make of it in a step of its own."""
    seed = _seed(recipe, step)
    batch = _in_training(recipe)(augmenter(recipe, "wave")(batch, seed), seed)
    return augmenter(recipe, "mel")(batch, seed)


def evaluation_batches(run, source, batch_size=256):
    """Spectrograms (batch, bands, frames, channels) of all segments in order, not augmented."""
    to_input = network_input(run)
    chunks = batches.evaluation(source, batches.CHUNK).map(lambda batch: to_input(batch["wave"]), batches.PARALLEL)
    return chunks.rebatch(batch_size).prefetch(2)


def network_input(run):
    """A function from waves to what the run's network sees in inference: front end, then normalisation."""
    layer, normalise = front_end(run.recipe), normaliser(run)
    return lambda wave: normalise(layer(wave))


def forward(network):
    """A function from spectrograms to logits in inference, traced once for every size of batch."""
    shape = (None, *network.input_shape[1:])
    return tf.function(lambda x: network(x, training=False), input_signature=[tf.TensorSpec(shape, tf.float32)])


def outputs(logits, spectrograms):
    """(clips, classes) of `forward` or a tflite_file.Network over batches of spectrograms."""
    return np.concatenate([np.asarray(logits(x)) for x in spectrograms])


def waves(recipe, file):
    """(seconds, samples) float32 of an audio file, as prepared clips reach the front end but not rounded to 16 bits.

    Quiet recordings of 24 bits lose by that: CP-JKU's network of 2023 then decides 48 instead of 50 of the 50
    seconds of TUT scenes (peaks of 0.015 to 0.057) as its original does.
    """
    samples, rate_hz = audio.read(file)
    to_hz = dataset.sample_rate_hz(recipe)
    return audio.cut(audio.resample(samples, rate_hz, to_hz), to_hz, recipe.data.segment_s)


def _in_training(recipe):
    """A function (batch, the step's seed) -> batch with "mel" in place of "wave".

    A front end that varies draws with that seed, so that all chunks of a step share one draw.
    """
    layer = front_end(recipe)

    def with_mel(batch, seed):
        wave = batch.pop("wave")
        if getattr(layer, "varies", False):
            own = tf.random.experimental.stateless_fold_in(seed, len(recipe.augmentation))  # no augmentation's place
            return batch | {"mel": layer.varied(wave, own)}
        return batch | {"mel": layer(wave)}

    return with_mel


def augmenter(recipe, stage):
    """A function (batch, seed) -> batch that applies the recipe's augmentations of a stage, "wave" or "mel"."""
    parts = [(registry.module("augmentation", part.name), part.settings) for part in recipe.augmentation]
    chosen = [(place, module, settings) for place, (module, settings) in enumerate(parts) if stage == module.ON]
    extra = (dataset.sample_rate_hz(recipe),) if stage == "wave" else ()

    def augmented(batch, seed):
        for place, module, settings in chosen:
            batch = module.apply(batch, tf.random.experimental.stateless_fold_in(seed, place), *extra, **settings)
        return batch

    return augmented


def _seed(recipe, number):
    return tf.stack([tf.constant(recipe.seed, tf.int32), tf.cast(number, tf.int32)])


def taught(recipe, teacher):
    """The teacher's recipe on its student's data: a copy of `teacher` with the dataset and data of `recipe`."""
    return dataclasses.replace(teacher, dataset=recipe.dataset, data=recipe.data)
