"""How does a trained run become a checked int8 file?

Quantisation-aware training of the run's network with its teacher still talking, or none of it, and conversion to
TFLite. Every epoch leaves a state in the run's quantise folder, from which an interrupted run goes on.
"""

import dataclasses

import numpy as np

from asc_tf import build, dataset, schedules
from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipes
from asc_tf.runs import layout as files
from asc_tf.training import callbacks as epochs
from asc_tf.training.fit import whole_steps
from export.quantisation import calibration as ptq
from export.quantisation import convert as tflite
from export.quantisation import metadata as _card
from export.quantisation import qat
from export.quantisation.to_tf_keras import to_tf_keras


def make(run, source, data, live=None):
    """Makes the int8 file and its card of a trained RunFolder, whatever is there; training goes on where it stopped.

    source: the batches.Source that the network was trained on.  data: the run's dataset.Data.
    live: spectrograms -> {"teacher": logits}, the teachers themselves, where they teach live.
    """
    network = trained(run)
    in_8_bits = qat.quantise(to_tf_keras(network), ptq.calibration_batches(run, data), run.recipe.quantise.float_layers)
    if run.recipe.quantise.method == "qat":
        train(run, in_8_bits, source, build.forward(network), live)
    content = tflite.convert(in_8_bits)
    run.write(files.INT8, content)
    in_float = tflite.layers_in_float(content, tflite.unquantised_layers(in_8_bits))
    card = _card.tree(run, content, in_float)
    run.write_json(files.CARD, card)
    print("\n".join(_card.format_lines(card) + [f"WARNING: {text}" for text in _card.limit_warnings(card)]), flush=True)


def again(run, recipe):
    """Makes them anew with the clips, the augmentation, the batch size and the [quantise] of another recipe.

    Its classes may be others: where only the float network is followed, sounds without labels are enough.
    Returns the run as `quantised` does, and that recipe's dataset.Data.
    Raises UserError where the recipe does not quantise, or asks for labels or teachers that are not there.
    """
    if not recipe.quantise:
        fix = "add --set quantise.method=ptq, or name a recipe with [quantise] by --on"
        raise UserError(f"{recipe.file}: has no [quantise]; {fix}.")
    if recipe.quantise.follow == "teachers":
        raise UserError(
            f"{recipe.file}: quantise: its teachers are asked by asc_tf.train only; write follow = 'float'."
        )
    taken = {key: getattr(recipe, key) for key in ("seed", "dataset", "data", "augmentation", "train", "quantise")}
    tuned = type(run)(run.path, dataclasses.replace(run.recipe, **taken))
    qat.check(network(tuned), recipe.quantise.float_layers)
    data = dataset.load(tuned.recipe)
    source = build.source(tuned.recipe, data, data.train)
    if data.classes != run.labels:
        source = _without_labels(recipe, source, len(run.labels))
    for name in files.OF_INT8:
        (run.path / name).unlink(missing_ok=True)
    run.write(files.RECIPE, recipes.to_toml(tuned.recipe))
    make(tuned, source, data)
    return tuned, data


def quantised(run):
    """The same folder as a run of the recipe that its int8 file is made by."""
    return type(run)(run.path, recipes.load(run.path / files.RECIPE)) if run.has(files.RECIPE) else run


def network(run):
    """The run's untrained network in the form that folds."""
    return build.network(run.recipe, len(run.labels), foldable=True)


def trained(run):
    """The same with the chosen weights."""
    return epochs.load_best(run, network(run))


def trained_in_8_bits(run):
    """The network of quantisation-aware training as it was when the int8 file was made of it."""
    network = qat.quantise(to_tf_keras(trained(run)), None, run.recipe.quantise.float_layers)
    saved = run.read_arrays(files.STATE)
    qat.restore(network, qat.optimizer(network), {key: value for key, value in saved.items() if key != "losses"})
    return network


def float16(run):
    """Makes files.FLOAT16 of a trained RunFolder: half of the float file's bytes, computed in float, needs no clips."""
    run.write(files.FLOAT16, tflite.float16(to_tf_keras(trained(run))))


def _without_labels(recipe, source, classes):
    """A source of other classes: one label for all clips, which nothing learns from."""
    if recipe.quantise.label_weight:
        raise UserError(f"{recipe.file}: its classes are not the run's: quantise.label_weight must be 0.")
    return dataclasses.replace(source, labels=np.zeros(len(source), np.int64), classes=classes)


def train(run, quantised, source, float_logits, live=None):
    """Quantisation-aware training to its last epoch, from where it stopped if it did."""
    recipe, settings = run.recipe, run.recipe.quantise
    steps = whole_steps(recipe, source)
    before = recipe.train.epochs * steps  # its batches follow those of the float training
    adam, rows = qat.optimizer(quantised), []
    if run.has(files.STATE):
        saved = run.read_arrays(files.STATE)
        rows = [{"epoch": n + 1, "loss": float(loss)} for n, loss in enumerate(saved.pop("losses"))]
        qat.restore(quantised, adam, saved)

    def on_epoch(epoch, loss):
        rows.append({"epoch": epoch + 1, "loss": loss})
        print(f"int8 training  epoch {epoch + 1:3d}/{settings.epochs}  loss {loss:.4f}", flush=True)
        run.write_rows(files.LOG, rows)
        run.write_arrays(files.STATE, qat.state(quantised, adam) | {"losses": np.array([row["loss"] for row in rows])})

    rate = schedules.warmup_cosine(learning_rate=settings.learning_rate, warmup_steps=0, steps=settings.epochs * steps)
    first_step, last_step = before + len(rows) * steps, before + settings.epochs * steps
    training_batches = build.training_batches(run, source, first_step=first_step, last_step=last_step)
    followed, live = followed_in(settings.follow, training_batches, float_logits, live)
    qat.train(
        quantised,
        adam,
        followed,
        online=live,
        first_epoch=len(rows),
        epochs=settings.epochs,
        steps_per_epoch=steps,
        frozen_epochs=settings.frozen_epochs,
        learning_rate=lambda step: float(rate(step)),
        label_weight=settings.label_weight,
        temperature=temperature(recipe),
        form=recipe.distill.form if settings.follow == "teachers" else "textbook",
        on_epoch=on_epoch,
    )


def temperature(recipe):
    """That of the logits followed in quantisation-aware training."""
    of_distillation = recipe.distill.temperature if recipe.distill else 1.0
    return of_distillation if recipe.quantise.temperature is None else recipe.quantise.temperature


def followed_in(whom, training_batches, float_logits, live):
    """(batches, live) of training: with "teachers" as they are, stored or live; or with the float network, live."""
    if whom == "teachers":
        return training_batches, live
    labelled = training_batches.map(lambda x, targets: (x, {"label": targets["label"]}))
    return labelled, lambda x: {"teacher": float_logits(x)}
