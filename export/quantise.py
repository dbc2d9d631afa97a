"""How does a trained run become a checked int8 file?

Quantisation-aware training of the run's network with its teacher still talking, conversion to TFLite,
and the parity report of float, quantised and TFLite network on the test split. Every epoch leaves a
state in the run's quantise folder, from which an interrupted run goes on.
"""

import numpy as np

from asc_tf import build, epochs, schedules, tflite_file
from asc_tf.data import batches
from export import parity, qat, tflite
from export.twin import twin

STATE = "quantise/state.npz"


def run(run, source, data):
    """Makes export/model.tflite, export/parity.json and .txt of a trained RunFolder, unless they are there.

    source: the batches.Source that the network was trained on.  data: the run's build.Data.
    """
    if run.has("export/parity.json"):
        return
    network = epochs.load_best(run, build.network(run.recipe, len(data.classes), foldable=True))
    quantised = qat.quantise(twin(network), calibration(run, data))
    train(run, quantised, source, build.forward(network))
    run.write("export/model.tflite", tflite.convert(quantised))
    if run.recipe.normalise:  # in plain text: it is the device's to do before the network
        numbers = {key: np.squeeze(value).tolist() for key, value in build.normalisation(run).items()}
        run.write_json("export/normalisation.json", numbers)
    report(run, network, quantised, data)


def calibration(run, data):
    """(clips, bands, frames, channels) spectrograms of training clips, the same for the same seed."""
    recipe = run.recipe
    count = min(recipe.quantise.calibration_clips, len(data.train))
    rows = np.random.default_rng(recipe.seed).choice(data.train, count, replace=False)
    return np.concatenate(list(build.evaluation_batches(run, build.source(recipe, data, np.sort(rows)))))


def train(run, quantised, source, float_logits):
    """Quantisation-aware training to its last epoch, from where it stopped if it did."""
    recipe, settings = run.recipe, run.recipe.quantise
    steps = batches.steps_per_epoch(source, recipe.train.batch_size)
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
    qat.train(
        quantised,
        adam,
        followed(
            settings.follow,
            build.training_batches(
                run, source, first_step=before + len(rows) * steps, last_step=before + settings.epochs * steps
            ),
            float_logits,
        ),
        first_epoch=len(rows),
        epochs=settings.epochs,
        steps_per_epoch=steps,
        frozen_epochs=settings.frozen_epochs,
        learning_rate=lambda step: float(rate(step)),
        label_weight=settings.label_weight,
        temperature=recipe.distill.temperature if recipe.distill else 1.0,
        on_epoch=on_epoch,
    )


def followed(whom, training_batches, float_logits):
    """The batches with the logits to follow in "teacher": the stored ones, or the float network's."""
    if whom == "teachers":
        return training_batches
    return training_batches.map(lambda x, targets: (x, {"label": targets["label"], "teacher": float_logits(x)}))


def report(run, network, quantised, data):
    """Writes and prints how far the three networks agree on the test split."""
    spectrograms = build.evaluation_batches(run, build.source(run.recipe, data, data.test))
    found = parity.compare(
        {
            "float": build.outputs(build.forward(network), spectrograms),
            "qat": build.outputs(build.forward(quantised), spectrograms),
            "int8": build.outputs(tflite_file.Network(run.path / "export/model.tflite"), spectrograms),
        },
        data.labels(data.test),
    )
    table = parity.table(found)
    print(table, flush=True)
    run.write("export/parity.txt", table + "\n")
    run.write_json("export/parity.json", found)
