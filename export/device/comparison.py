"""Comparison of all forms of a run: decisions, errors by layer, size, latency, memory."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from asc_tf import build, metrics
from asc_tf.data import batches
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.evaluation import evaluate, parity_plot
from asc_tf.export.device import footprint, layer_errors
from asc_tf.export.quantisation import metadata
from asc_tf.inference.forms import Form
from asc_tf.inference.run import TrainedRun
from asc_tf.runs import digests, layout

# name in the report -> form of the run
FORMS = {
    "float": "float",
    "qat": "quantised",
    "int8": "tflite",
    "float16": "float16_tflite",
    "waveform": "wave_tflite",
    "C front end": "c",
}
AFTER_TRAINING = ("float", "qat", "int8")  # the forms that training itself makes
LAYER_CLIPS = 64  # on which the layers' errors are measured
WORST_LAYERS = 5  # in the printed table


def write_report(run: TrainedRun, data: LoadedDataset, *, thorough: bool = True) -> dict[str, Any]:
    """Compares the forms of a run on a test split; prints the table and writes export/parity.*.

    Args:
        run: The run, with the recipe that quantised it.
        data: The dataset of that recipe. Where its classes are not the run's there is no accuracy, only agreement.
        thorough: Whether to compare every form, with the costs of each (half a minute, each in a process of its
            own), the layers' errors and the plot; else the float network, the quantised one and the int8 file.

    Returns:
        The content of parity.json, and {"layers"}.
    """
    labels = data.labels(data.test) if data.classes == run.labels else None
    logits = outputs(run, data, FORMS if thorough else AFTER_TRAINING)
    figures, layers = compare(logits, labels), []
    if labels is not None:
        for name in logits:
            scores = evaluate.scores(data, data.test, labels, metrics.softmax(logits[name]))
            figures[name] |= {key: value for key, value in scores.items() if key.startswith("by_")}
    if thorough:
        for name in [name for name in figures if FORMS[name] in footprint.FILES]:
            figures[name] |= footprint.costs(run, FORMS[name])
        layers = layer_errors.of_run(run.folder, data, LAYER_CLIPS) if "int8" in figures else []
    has_metadata = run.folder.has(layout.METADATA)
    float_layers = run.folder.read(layout.METADATA)["float_layers"] if has_metadata else []
    lines = [
        table(figures),
        *layer_errors.format_lines(layers, WORST_LAYERS),
        *metadata.float_layer_lines(float_layers),
    ]
    lines += footprint.NOTES if thorough else []
    print("\n".join(lines), flush=True)
    run.folder.write(layout.PARITY_TABLE, "\n".join(lines) + "\n")
    made_of = {digests.KEY: digests.network(run.folder)}
    run.folder.write_json(layout.PARITY, figures | ({"layers": layers} if thorough else {}) | made_of)
    if thorough:
        run.folder.write(layout.PARITY_PLOT, parity_plot.draw(figures, layers))
    return figures | {"layers": layers}


def outputs(run: TrainedRun, data: LoadedDataset, names: Mapping[str, str] | tuple[str, ...]) -> dict[str, np.ndarray]:
    """Logits of the forms that a run has, on the test split. The front end is computed once for all.

    Args:
        run: The run.
        data: Its dataset.
        names: Keys of FORMS.

    Returns:
        (clips, classes) by the name of the form, in the order of `names`.
    """
    source = build.source(run.recipe, data, data.test)
    waves = batches.evaluation(source, batches.CHUNK).map(lambda batch: batch["wave"])
    inputs = tf.data.Dataset.zip(waves, build.evaluation_batches(run.folder, source, batches.CHUNK))
    forms = load_forms(run, names)
    logits = {name: [] for name in forms}
    for wave, spectrogram in inputs:
        for name, form in forms.items():
            logits[name].append(form(wave if form.takes_waves else spectrogram))
    return {name: np.concatenate(chunks) for name, chunks in logits.items()}


def load_forms(run: TrainedRun, names: Iterable[str] = FORMS) -> dict[str, Form]:
    """Forms of a run, those that it has.

    Args:
        run: The run.
        names: Keys of FORMS.

    Raises:
        UserError: A file of the run is missing or damaged.
    """
    return {name: form for name in names if (form := _form(run, name))}


def _form(run, name):
    """A form of the run; None where it has none."""
    if FORMS[name] not in run.forms:
        return None
    try:
        return run.form(FORMS[name])
    except UserError as error:
        if name != "C front end":
            raise
        print(f"no C front end: {error}", flush=True)  # not every front end has one
        return None


def compare(outputs: Mapping[str, np.ndarray], labels: np.ndarray | None) -> dict[str, dict[str, float]]:
    """Compares the decisions of each form with those of the first.

    Args:
        outputs: (clips, classes) logits by the name of the form, the float network first.
        labels: (clips,) class indices, or None.

    Returns:
        By the name of the form {"accuracy", "log_loss", "agreement", "largest_change"}: agreement is the share of
        clips with the first form's class, largest_change that of a class's probability in any clip; accuracy and
        log_loss are absent without labels.

    Raises:
        ValueError: The forms have outputs for different numbers of clips, or none.
    """
    first = np.asarray(next(iter(outputs.values())))
    clips = {len(first), *map(len, outputs.values()), len(first if labels is None else labels)}
    if clips == {0} or len(clips) > 1:
        raise ValueError("all forms need the logits of the same clips, at least one")
    return {name: _figures(np.asarray(logits), first, labels) for name, logits in outputs.items()}


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Table of the figures of `compare`, and of the costs where they were measured, one line a form."""
    width = max(map(len, figures))
    costs = (
        "   KiB  ms, 1 thread  2 threads  memory, MB" if any("latency_ms" in row for row in figures.values()) else ""
    )
    lines = [f"{'':{width}}  accuracy  log loss  agreement  largest change of p{costs}"]
    for name, row in figures.items():
        scores = f"{row['accuracy']:8.2%}  {row['log_loss']:8.3f}" if "accuracy" in row else f"{'-':>8}  {'-':>8}"
        line = f"{name:{width}}  {scores}  {row['agreement']:9.2%}  {row['largest_change']:19.3f}"
        lines.append(line + (_costs(row) if "latency_ms" in row else ""))
    return "\n".join(lines)


def _figures(logits, first, labels):
    probabilities = metrics.softmax(logits)
    scores = {}
    if labels is not None:
        labels = np.asarray(labels)
        scores["accuracy"] = float(np.mean(logits.argmax(axis=1) == labels))
        scores["log_loss"] = metrics.log_loss(labels, probabilities)
    return scores | {
        "agreement": float(np.mean(logits.argmax(axis=1) == first.argmax(axis=1))),
        "largest_change": float(np.abs(probabilities - metrics.softmax(first)).max()),
    }


def _costs(row):
    one, two = (row["latency_ms"][threads] for threads in ("1", "2"))
    return f"{row['bytes'] / 1024:6.0f}  {one:12.2f}  {two:9.2f}  {row['memory_bytes'] / 1e6:10.1f}"
