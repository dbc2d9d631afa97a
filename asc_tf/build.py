"""How do a recipe's parts fit together? The only module that knows every part."""

import contextlib
import dataclasses
import gc
import inspect
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from asc_tf import registry
from asc_tf.data import audio, batches, crops, shards
from asc_tf.data.listing import validation_part
from asc_tf.distillation import embedding, ensembles, hierarchy
from asc_tf.distillation.student import Student
from asc_tf.errors import UserError
from asc_tf.features import _normalise

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
    """{"mean", "deviation"} that the run's recipe states or that its training measured; 0 and 1 where it has none."""
    section = run.recipe.normalise
    if section is None:
        return {"mean": 0.0, "deviation": 1.0}
    if section.by == "constants":
        return {"mean": section.mean, "deviation": section.deviation}
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


def sample_rate_hz(recipe):
    return recipe.feature.settings["sample_rate_hz"]


def segment_samples(recipe):
    return round(sample_rate_hz(recipe) * recipe.data.segment_s)


def input_shape(recipe):
    """(bands, frames, channels) that the recipe's network sees."""
    return tuple(front_end(recipe).compute_output_shape((None, segment_samples(recipe))))[1:]


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
        multi_label=multi_label(recipe),
        **settings,
    )


def check(recipe, teachers=()):
    """Builds and traces every part without data, so that a wrong value is found in seconds.

    teachers: the recipes of recipe.teacher, each checked by itself; here only what they are to the recipe.
    """
    _check_multi_label(recipe)
    try:
        _trace(recipe, teachers)
    except UserError as error:
        raise UserError(f"{recipe.file}: {error}") from error
    except ValueError as error:
        raise UserError(f"{recipe.file}: the parts do not fit together: {str(error).splitlines()[0]}") from error


def _trace(recipe, teachers):
    """Traces the way of a batch of 4 from wave to loss."""
    classes = _classes_without_data(recipe)
    sizes = _embedding_sizes(recipe, teachers, len(classes))
    learner = student(recipe, classes, embedding_sizes=sizes)
    said = _said(recipe, sizes, len(classes))
    live = bool(recipe.distill and recipe.distill.live)
    spec = {
        "wave": tf.TensorSpec((4, segment_samples(recipe)), tf.float32),
        "label": tf.TensorSpec((4, len(classes)), tf.float32),
        "device": tf.TensorSpec((4,), tf.string),
    }
    spec = _traced(_augmenter(recipe, "wave"), spec | ({} if live else said))
    spec["mel"] = tf.TensorSpec((4, *input_shape(recipe)), tf.float32)
    spec = _traced(_augmenter(recipe, "mel"), spec)
    _trace_loss(learner, targets(spec | (said if live else {})))


def _said(recipe, embedding_sizes, classes):
    """What a recipe's teachers say of a batch of 4, as a spec."""
    said = {f"embedding {place}": tf.TensorSpec((4, size), tf.float32) for place, size in enumerate(embedding_sizes)}
    return said | ({"teacher": tf.TensorSpec((4, classes), tf.float32)} if recipe.teacher else {})


def _classes_without_data(recipe):
    """The dataset's classes where they are known without its files; else as many as serve to trace with."""
    known = getattr(registry.module("dataset", recipe.dataset.name), "SCENES", ())
    if known or not recipe.hierarchy:
        return tuple(known) or tuple(f"class {number}" for number in range(10))
    return tuple(dict.fromkeys(name for own in hierarchy.members(recipe.hierarchy.groups).values() for name in own))


def _embedding_sizes(recipe, teachers, classes):
    """Of the embeddings that a recipe's teachers give, in their order.  Raises UserError where one cannot teach it."""
    sizes = []
    for teacher, entry in zip(teachers, recipe.teacher, strict=False):
        if recipe.distill.live and teacher.feature != recipe.feature:
            raise UserError(
                f"distill.live: {entry.recipe} hears another [feature]; give it the student's, or set live = false."
            )
        if entry.layer:
            own = embedding.output(network(teacher, classes), entry.layer, f"teacher.{entry.recipe}.layer")
            sizes += entry.runs * [own.shape[-1]]
    return sizes


def _check_multi_label(recipe):
    for section in ("teacher", "hierarchy", "quantise"):
        if multi_label(recipe) and getattr(recipe, section):
            raise UserError(
                f"{recipe.file}: [{section}] is for datasets of one class a clip, and dataset '{recipe.dataset.name}' "
                f"is multi-label. Leave [{section}] out here; another recipe can have it and [start] from this one."
            )


def _traced(augmented, spec):
    """What an augmenter makes of a batch of that spec, as a spec; nothing is computed."""
    seed = tf.TensorSpec((2,), tf.int32)
    return dict(tf.function(augmented, autograph=False).get_concrete_function(spec, seed).structured_outputs)


def _trace_loss(student, targets):
    """Traces the terms of a Student's loss on targets of that spec; nothing is computed."""
    outputs = {key: tf.TensorSpec((4, *x.shape[1:]), x.dtype) for key, x in student.heads.output.items()}
    epoch = tf.TensorSpec((), tf.float32)
    tf.function(student.terms, autograph=False).get_concrete_function(outputs, targets, epoch)


@dataclass(frozen=True, eq=False)
class Data:
    """A recipe's clips, prepared: what is trained on, what chooses the weights, what is tested."""

    listing: object
    prepared: shards.Prepared
    train: np.ndarray  # rows of the prepared segments
    validation: np.ndarray
    test: np.ndarray

    @property
    def classes(self):
        return self.listing.classes

    def column(self, name, rows):
        """(rows,) of a field of the clips: "label" (but of multi-label data), "device", "city" or "file"."""
        return np.array(self._values(name, rows))

    def labels(self, rows):
        """(rows,) class numbers; of multi-label data (rows, classes) bool."""
        numbers = self.label_numbers(rows)
        return numbers if self.label_sets is None else self.label_sets[numbers]

    def label_numbers(self, rows):
        """(rows,) class numbers; of multi-label data numbers of rows of `label_sets`."""
        number = {label: index for index, label in enumerate(self._kinds)}
        return np.array([number[label] for label in self._values("label", rows)], np.int64)

    @cached_property
    def label_sets(self):
        """(sets, classes) bool of multi-label data, a row for each set of classes that occurs; None of other data.

        Clips share rows: (clips, classes) float32 would be 4 GB for AudioSet.
        """
        if not self.listing.multi_label:
            return None
        sets = np.zeros((len(self._kinds), len(self.classes)), bool)
        number = {label: index for index, label in enumerate(self.classes)}
        for row, names in enumerate(self._kinds):
            sets[row, [number[name] for name in names]] = True
        return sets

    @cached_property
    def _kinds(self):
        """What label numbers stand for."""
        return sorted(set(self.listing.label)) if self.listing.multi_label else self.classes

    def _values(self, name, rows):
        texts = getattr(self.listing, name)
        return [texts[position] for position in self.prepared.clip[rows].tolist()]

    def names(self, rows):
        """(rows,) texts that name a segment: its file and its second."""
        files = self.column("file", rows)
        return np.array([f"{file}#{second}" for file, second in zip(files, self.prepared.segment[rows], strict=True)])


def listing(recipe):
    """The recipe's dataset, its tables checked, no audio read."""
    return registry.entry("dataset", recipe.dataset.name)(**recipe.dataset.settings)


def classes(recipe):
    """The recipe's classes in order; the dataset's files are read only where they decide them."""
    return tuple(getattr(registry.module("dataset", recipe.dataset.name), "SCENES", ())) or listing(recipe).classes


def multi_label(recipe):
    """Whether a clip of the recipe's dataset may belong to several classes."""
    return getattr(registry.module("dataset", recipe.dataset.name), "MULTI_LABEL", False)


def data(recipe, *, quiet=False):
    """The recipe's dataset, prepared where it is not yet.  Raises UserError for anything that is wrong with it.

    A large set that is prepared is taken for unchanged where its folders are (see data/set_key.py).
    """
    with _no_collection():
        clips = listing(recipe)
        _check_groups(recipe, clips.classes)
        train, validation = validation_part(clips, share=recipe.data.validation_share, seed=recipe.data.validation_seed)
        prepared = prepare(recipe, clips, quiet=quiet, thorough=False)
    parts = [np.flatnonzero(np.isin(prepared.clip, part)) for part in (train, validation, clips.of("test"))]
    for name, rows, needed in zip(
        ("train", "validation", "test"), parts, (True, bool(len(validation)), True), strict=True
    ):
        if needed and not len(rows):
            raise UserError(f"{recipe.file}: the {name} split has no readable clips.")
    return Data(clips, prepared, *parts)


def _check_groups(recipe, classes):
    if recipe.hierarchy:
        try:
            hierarchy.membership(recipe.hierarchy.groups, classes)
        except UserError as error:
            raise UserError(f"{recipe.file}: {error}") from error


@contextlib.contextmanager
def _no_collection():
    """Python looks for garbage again and again while a million texts are read, and finds none: half of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def prepare(recipe, clips, *, quiet=False, thorough=True):
    return shards.prepare(
        clips,
        folder=recipe.data.prepared_folder,
        sample_rate_hz=sample_rate_hz(recipe),
        segment_s=recipe.data.segment_s,
        max_bad_share=recipe.data.max_bad_share,
        quiet=quiet,
        thorough=thorough,
    )


def source(recipe, data, rows, columns=None, *, shift=0):
    """The batches.Source of some rows of the data, with its `columns`.

    shift: samples by which each is heard later than it begins, see data/crops.py.
    """
    return batches.Source(
        read=crops.shifted(data.prepared, shift),
        samples=segment_samples(recipe),
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
    to_mel, on_waves, on_mels = _in_training(recipe), _augmenter(recipe, "wave"), _augmenter(recipe, "mel")
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
    batch = _in_training(recipe)(_augmenter(recipe, "wave")(batch, seed), seed)
    return _augmenter(recipe, "mel")(batch, seed)


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
    to_hz = sample_rate_hz(recipe)
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


def _augmenter(recipe, stage):
    """A function (batch, seed) -> batch that applies the recipe's augmentations of a stage, "wave" or "mel"."""
    parts = [(registry.module("augmentation", part.name), part.settings) for part in recipe.augmentation]
    chosen = [(place, module, settings) for place, (module, settings) in enumerate(parts) if stage == module.ON]
    extra = (sample_rate_hz(recipe),) if stage == "wave" else ()

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
