"""How does a trained run become a checked int8 file?

Quantisation-aware training of the run's network with its teacher still talking, or none of it; conversion to
TFLite; and the parity report of float, quantised and TFLite network on the test split. Every epoch leaves a
state in the run's quantise folder, from which an interrupted run goes on.
"""

import dataclasses

import numpy as np

from asc_tf import build, dataset, epochs, schedules, tflite_file
from asc_tf.errors import UserError
from asc_tf.train import whole_steps
from export import _card, parity, ptq, qat, tflite
from export.twin import twin

STATE = "quantise/state.npz"
FILE, FLOAT16, WAVE, CARD, PARITY = (
    f"export/{name}"
    for name in ("model.tflite", "model_float16.tflite", "wave_to_scene.tflite", "model.json", "parity.json")
)
MADE = (STATE, "quantise/log.csv", FILE, WAVE, CARD, PARITY, "export/parity.txt", ptq.CLIPS_FILE)


def run(run, source, data, live=None):
    """Makes FILE, CARD and the parity report of a trained RunFolder, unless they are there.

    source: the batches.Source that the network was trained on.  data: the run's dataset.Data.
    live: spectrograms -> {"teacher": logits}, the teachers themselves, where they teach live.
    """
    if not run.has(PARITY):
        make(run, source, data, live)


def make(run, source, data, live=None):
    """The same, whatever is there; training goes on from STATE."""
    network = trained(run)
    quantised = qat.quantise(twin(network), ptq.calibration(run, data), run.recipe.quantise.float_layers)
    if run.recipe.quantise.method == "qat":
        train(run, quantised, source, build.forward(network), live)
    content = tflite.convert(quantised)
    run.write(FILE, content)
    in_float = tflite.in_float(content, tflite.kept_float(quantised))
    card = _card.card(run, content, in_float)
    run.write_json(CARD, card)
    print("\n".join(_card.told(card) + [f"WARNING: {text}" for text in _card.over(card)]), flush=True)
    report(run, network, quantised, data, in_float)


def again(run, recipe):
    """Makes them anew with the clips, the augmentation, the batch size and the [quantise] of another recipe.

    Its classes may be others: where only the float network is followed, sounds without labels are enough.
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
    for name in MADE:
        (run.path / name).unlink(missing_ok=True)
    make(tuned, source, data)


def network(run):
    """The run's untrained network in the form that folds."""
    return build.network(run.recipe, len(run.labels), foldable=True)


def trained(run):
    """The same with the chosen weights."""
    return epochs.load_best(run, network(run))


def float16(run):
    """Makes FLOAT16 of a trained RunFolder: half of the float file's bytes, computed in float, no clips needed."""
    run.write(FLOAT16, tflite.float16(twin(trained(run))))


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
    if run.has(STATE):
        saved = run.read_arrays(STATE)
        rows = [{"epoch": n + 1, "loss": float(loss)} for n, loss in enumerate(saved.pop("losses"))]
        qat.restore(quantised, adam, saved)

    def on_epoch(epoch, loss):
        rows.append({"epoch": epoch + 1, "loss": loss})
        print(f"int8 training  epoch {epoch + 1:3d}/{settings.epochs}  loss {loss:.4f}", flush=True)
        run.write_rows("quantise/log.csv", rows)
        run.write_arrays(STATE, qat.state(quantised, adam) | {"losses": np.array([row["loss"] for row in rows])})

    rate = schedules.warmup_cosine(learning_rate=settings.learning_rate, warmup_steps=0, steps=settings.epochs * steps)
    first_step, last_step = before + len(rows) * steps, before + settings.epochs * steps
    training_batches = build.training_batches(run, source, first_step=first_step, last_step=last_step)
    followed, live = followed_in(settings.follow, training_batches, float_logits, live)
    qat.train(
        quantised,
        adam,
        followed,
        live=live,
        first_epoch=len(rows),
        epochs=settings.epochs,
        steps_per_epoch=steps,
        frozen_epochs=settings.frozen_epochs,
        learning_rate=lambda step: float(rate(step)),
        label_weight=settings.label_weight,
        temperature=recipe.distill.temperature if recipe.distill else 1.0,
        form=recipe.distill.form if settings.follow == "teachers" else "textbook",
        on_epoch=on_epoch,
    )


def followed_in(whom, training_batches, float_logits, live):
    """(batches, live) of training: with "teachers" as they are, stored or live; or with the float network, live."""
    if whom == "teachers":
        return training_batches, live
    labelled = training_batches.map(lambda x, targets: (x, {"label": targets["label"]}))
    return labelled, lambda x: {"teacher": float_logits(x)}


def report(run, network, quantised, data, in_float):
    """Writes and prints how far the three networks agree on the test split."""
    spectrograms = build.evaluation_batches(run, build.source(run.recipe, data, data.test))
    found = parity.compare(
        {
            "float": build.outputs(build.forward(network), spectrograms),
            "qat": build.outputs(build.forward(quantised), spectrograms),
            "int8": build.outputs(tflite_file.Network(run.path / FILE), spectrograms),
        },
        data.labels(data.test) if data.classes == run.labels else None,
    )
    lines = [parity.table(found), *_card.in_float(in_float)]
    print("\n".join(lines), flush=True)
    run.write("export/parity.txt", "\n".join(lines) + "\n")
    run.write_json(PARITY, found)
