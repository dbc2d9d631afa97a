"""`python -m asc_tf.evaluate RUN`: how good is a trained model on its test split, and what does it cost?

Prints the table and writes metrics.json and, where a clip has one class, a confusion matrix for every model the
run holds: the float Keras network and, where it was exported, the int8 TFLite file. Several runs that were tested
alike are judged as one with --fuse: the mean or the product of their probabilities.
"""

import argparse
import sys
from itertools import zip_longest

from asc_tf import command_line
from asc_tf.errors import UserError
from asc_tf.runs import folder as run_folder


def evaluate(run, data=None):
    """Evaluates a run; returns what metrics.json holds."""
    from asc_tf import dataset

    data = data or dataset.load(run.recipe)
    return tell(run, data, scored(run, data))


def fuse(runs, method, out):
    """Evaluates several runs as one, by the "mean" or the product ("prod") of their probabilities.

    out: the RunFolder that gets metrics.json, with the scores of each member too, and the confusion matrices.
    The int8 files are fused where every run has one.  Raises UserError for runs that were not tested alike.
    """
    from asc_tf import dataset
    from asc_tf.metrics import scores as metrics

    for run in runs:
        if dataset.multi_label(run.recipe):
            raise UserError(f"{run.path}: its clips have several classes, whose probabilities are not fused here.")
    data = [dataset.load(run.recipe) for run in runs]
    for run, own in zip(runs, data, strict=True):
        check_tested_alike(runs[0], data[0], run, own)
    labels, found, members = data[0].labels(data[0].test), {}, {}
    every = [scored(run, own) for run, own in zip(runs, data, strict=True)]
    for name in [name for name in every[0] if all(name in one for one in every)]:
        costs, probabilities = zip(*(one[name] for one in every), strict=True)
        found[name] = {key: sum(cost[key] for cost in costs) for key in costs[0]}, metrics.fused(probabilities, method)
        own = [metrics.scores(labels, p) for p in probabilities]
        members[name] = {"members": {str(run.path): score for run, score in zip(runs, own, strict=True)}}
    return tell(out, data[0], found, members)


def check_tested_alike(one, ones_data, other, others_data):
    """Raises UserError unless two runs have the same classes and test the same segments."""
    if ones_data.classes != others_data.classes:
        raise UserError(f"{other.path}: has other classes than {one.path}; fuse runs of one dataset.")
    pair = ones_data.names(ones_data.test), others_data.names(others_data.test)
    for first, second in zip_longest(*pair, fillvalue="no further clip"):
        if first != second:
            raise UserError(
                f"{other.path}: tests other clips than {one.path}: '{second}' where that has '{first}'; "
                "fuse runs of one dataset and test split."
            )


def scored(run, data):
    """{model: (its cost, (segments, classes) probabilities of the test split)} of all models in the run."""
    from asc_tf import build, dataset
    from asc_tf.metrics import scores as metrics

    spectrograms = build.evaluation_batches(run, build.source(run.recipe, data, data.test))
    return {
        name: (
            cost,
            metrics.probabilities(build.outputs(scorer, spectrograms), multi_label=dataset.multi_label(run.recipe)),
        )
        for name, (scorer, cost) in models(run, len(data.classes)).items()
    }


def tell(out, data, scored, more=None):
    """Prints the table and writes the report of what `scored` gives into the RunFolder `out`; returns the report.

    more: {model: further figures}.
    """
    import numpy as np

    from asc_tf.evaluation import confusion, tables
    from asc_tf.metrics import scores as metrics

    rows = data.test
    labels, files = data.labels(rows), data.column("file", rows)
    report = {}
    for name, (cost, probabilities) in scored.items():
        report[name] = {"cost": cost} | figures(data, rows, labels, probabilities) | (more or {}).get(name, {})
        if labels.ndim == 1:
            table = metrics.confusion(labels, probabilities)
            out.write(
                f"confusion_{name}.png", lambda path, t=table, n=name: confusion.draw(t, data.classes, path, title=n)
            )
        if len(np.unique(files)) < len(files):
            first, by_file = metrics.mean_by_file(files, probabilities)
            report[name]["by_file"] = metrics.scores(labels[first], by_file)
    print(tables.evaluation(report, data.classes), flush=True)
    out.write_json("metrics.json", report)
    return report


def models(run, classes):
    """{name: (what gives logits, its cost)} of all models in the run."""
    from asc_tf import build
    from asc_tf.cost import measure as complexity
    from asc_tf.tflite import file as tflite_file
    from asc_tf.training import callbacks as epochs

    network = epochs.load_best(run, build.network(run.recipe, classes))
    cost = complexity.measure(network)
    found = {
        "float": (
            build.forward(network),
            {"parameters": cost.parameters, "bytes": 4 * cost.parameters, "macs": cost.macs},
        )
    }
    if run.has("export/model.tflite"):
        file = tflite_file.TFLiteModel(run.path / "export/model.tflite")
        found["int8"] = file, {"parameters": cost.parameters, "bytes": file.parameter_bytes, "macs": cost.macs}
    return found


def figures(data, rows, labels, probabilities):
    """All scores of one model: overall, per class, device and city, and on what training had and had not."""
    from asc_tf.metrics import scores as metrics

    found = metrics.scores(labels, probabilities)
    of_classes = metrics.by_class(labels, probabilities)
    found["by_class"] = {name: float(value) for name, value in zip(data.classes, of_classes, strict=True)}
    for kind, plural in (("device", "devices"), ("city", "cities")):
        tested = data.column(kind, rows)
        if not any(tested):
            continue
        found[f"by_{kind}"] = metrics.by_group(labels, probabilities, tested)
        known = set(data.column(kind, data.train)) | set(data.column(kind, data.validation))
        seen = [f"seen {plural}" if value in known else f"unseen {plural}" for value in tested]
        found |= metrics.by_group(labels, probabilities, seen)
    return found
