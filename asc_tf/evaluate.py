"""`python -m asc_tf.evaluate RUN`: how good is a trained model on its test split, and what does it cost?

Prints the table and writes metrics.json and, where a clip has one class, a confusion matrix for every model the
run holds: the float Keras network and, where it was exported, the int8 TFLite file.
"""

import argparse
import sys

from asc_tf import command_line, run_folder


def evaluate(run, data=None):
    """Evaluates a run; returns what metrics.json holds."""
    import numpy as np

    from asc_tf import build, metrics
    from asc_tf.report import confusion, tables

    data = data or build.data(run.recipe)
    rows = data.test
    labels, files = data.labels(rows), data.column("file", rows)
    spectrograms = build.evaluation_batches(run, build.source(run.recipe, data, rows))
    report = {}
    for name, (scorer, cost) in models(run, len(data.classes)).items():
        probabilities = metrics.probabilities(build.outputs(scorer, spectrograms), multi_label=labels.ndim == 2)
        report[name] = {"cost": cost} | figures(data, rows, labels, probabilities)
        if labels.ndim == 1:
            table = metrics.confusion(labels, probabilities)
            run.write(
                f"confusion_{name}.png", lambda path, t=table, n=name: confusion.draw(t, data.classes, path, title=n)
            )
        if len(np.unique(files)) < len(files):
            first, by_file = metrics.mean_by_file(files, probabilities)
            report[name]["by_file"] = metrics.scores(labels[first], by_file)
    print(tables.evaluation(report, data.classes), flush=True)
    run.write_json("metrics.json", report)
    return report


def models(run, classes):
    """{name: (what gives logits, its cost)} of all models in the run."""
    from asc_tf import build, complexity, epochs, tflite_file

    network = epochs.load_best(run, build.network(run.recipe, classes))
    cost = complexity.measure(network)
    found = {
        "float": (
            build.forward(network),
            {"parameters": cost.parameters, "bytes": 4 * cost.parameters, "macs": cost.macs},
        )
    }
    if run.has("export/model.tflite"):
        file = tflite_file.Network(run.path / "export/model.tflite")
        found["int8"] = file, {"parameters": cost.parameters, "bytes": file.parameter_bytes, "macs": cost.macs}
    return found


def figures(data, rows, labels, probabilities):
    """All scores of one model: overall, per class, device and city, and on what training had and had not."""
    from asc_tf import metrics

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


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m asc_tf.evaluate", description=__doc__.split("\n", 1)[1])
    parser.add_argument("run", help="a run folder")
    options = parser.parse_args(arguments)
    return command_line.start("evaluate", lambda: evaluate(run_folder.load(options.run)))


if __name__ == "__main__":
    sys.exit(main())
