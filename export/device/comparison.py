"""`python -m export.parity RUN`: do the files of a run decide as its float network does, and what do they cost?

On the test split: the float Keras network, the quantised one, the TFLite files, the one that takes the wave, and the C
front end before the int8 network, where the run has them and gcc is there. Prints the table and writes
export/parity.json, .txt and .png: accuracy also by class and device, agreement, log loss, the error of every layer
of the int8 file, size, latency on one and two threads, memory.
"""

import argparse
import sys

import numpy as np

from asc_tf import command_line
from asc_tf.metrics import scores as metrics
from asc_tf.runs import folder as run_folder
from asc_tf.runs import layout as files

LAYER_CLIPS = 64  # on which the layers' errors are measured
WORST = 5  # layers in the printed table
CHAIN = ("float", "qat", "int8")  # the forms that training itself leaves


def compare(outputs, labels):
    """{name: {"accuracy", "log_loss", "agreement", "largest_change"}} of each form against the first.

    outputs: {name: (clips, classes) logits}, the float network first.  labels: (clips,) class numbers, or None.
    accuracy, log_loss: absent without labels.  agreement: share of clips with the first form's class.
    largest_change: of a class's probability in any clip.
    Raises ValueError when the forms were not given the same clips, or none.
    """
    first = np.asarray(next(iter(outputs.values())))
    clips = {len(first), *map(len, outputs.values()), len(first if labels is None else labels)}
    if clips == {0} or len(clips) > 1:
        raise ValueError("all forms need the logits of the same clips, at least one")
    return {name: _figures(np.asarray(logits), first, labels) for name, logits in outputs.items()}


def table(figures):
    """The figures of `compare`, and the costs where they were measured, as text, one line a form."""
    width = max(map(len, figures))
    costs = (
        "   KiB  ms, 1 thread  2 threads  memory, MB" if any("latency_ms" in row for row in figures.values()) else ""
    )
    lines = [f"{'':{width}}  accuracy  log loss  agreement  largest change of p{costs}"]
    for name, row in figures.items():
        judged = f"{row['accuracy']:8.2%}  {row['log_loss']:8.3f}" if "accuracy" in row else f"{'-':>8}  {'-':>8}"
        line = f"{name:{width}}  {judged}  {row['agreement']:9.2%}  {row['largest_change']:19.3f}"
        lines.append(line + (_costs(row) if "latency_ms" in row else ""))
    return "\n".join(lines)


def _figures(logits, first, labels):
    probabilities = metrics.softmax(logits)
    judged = {}
    if labels is not None:
        labels = np.asarray(labels)
        judged["accuracy"] = float(np.mean(logits.argmax(axis=1) == labels))
        judged["log_loss"] = metrics.log_loss(labels, probabilities)
    return judged | {
        "agreement": float(np.mean(logits.argmax(axis=1) == first.argmax(axis=1))),
        "largest_change": float(np.abs(probabilities - metrics.softmax(first)).max()),
    }


def _costs(row):
    one, two = (row["latency_ms"][threads] for threads in ("1", "2"))
    return f"{row['bytes'] / 1024:6.0f}  {one:12.2f}  {two:9.2f}  {row['memory_bytes'] / 1e6:10.1f}"


def report(run, data, *, thorough=True):
    """Compares the forms of a run and writes what they show; returns what parity.json holds.

    data: the dataset.Data of the recipe that quantised it.  Where its classes are not the run's there are no labels
    to judge by, only agreement.
    thorough: every form, what each costs (half a minute, each in a process of its own), the layers' errors and the
    plot; else the float network, the quantised one and the int8 file, as it is after training.
    """
    from asc_tf.evaluation import evaluate
    from asc_tf.evaluation import parity_plot as drawing
    from export.device import footprint as _footprint
    from export.device import forms as _forms
    from export.device import layer_errors as _layers_lost
    from export.quantisation import metadata as _card

    labels = data.labels(data.test) if data.classes == run.labels else None
    outputs = _forms.outputs(run, data, _forms.ALL if thorough else CHAIN)
    found, layers = compare(outputs, labels), []
    if labels is not None:
        for name, logits in outputs.items():
            figures = evaluate.figures(data, data.test, labels, metrics.softmax(logits))
            found[name] |= {key: value for key, value in figures.items() if key.startswith("by_")}
    if thorough:
        for name in [name for name in found if name == "float" or name in _forms.FILES]:
            found[name] |= _footprint.costs(run, _forms.FILES.get(name, name))
        layers = _layers_lost.of_run(run, data, LAYER_CLIPS) if "int8" in found else []
    in_float = run.read_json(files.CARD)["float_layers"] if run.has(files.CARD) else []
    lines = [table(found), *_layers_lost.told(layers, WORST), *_card.float_layer_lines(in_float)]
    lines += _footprint.WHAT_TO_EXPECT if thorough else []
    print("\n".join(lines), flush=True)
    run.write(files.PARITY_TABLE, "\n".join(lines) + "\n")
    run.write_json(files.PARITY, found | ({"layers": layers} if thorough else {}))
    if thorough:
        run.write(files.PARITY_PLOT, lambda path: drawing.draw(found, layers, path))
    return found | {"layers": layers}
