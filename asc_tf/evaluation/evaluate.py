"""Evaluation of runs on their test splits: scores, costs, confusion matrices."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from asc_tf import build, dataset, metrics
from asc_tf.cost import challenge
from asc_tf.data.lock import remove_unfinished
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.evaluation import confusion, per_device, tables
from asc_tf.evaluation import report as report_page
from asc_tf.inference.forms import Form
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import TrainedSystem, check_members
from asc_tf.metrics import bootstrap, calibration
from asc_tf.runs import digests, layout, products
from asc_tf.runs.folder import RunFolder

NETWORKS = {"float": "float", "int8": "tflite"}  # name in the report -> form of the run

# name in the report -> (cost, (segments, classes) probabilities)
Predictions = Mapping[str, tuple[dict[str, int], np.ndarray]]


def evaluate(
    run: TrainedRun | TrainedSystem, data: LoadedDataset | None = None, *, accept_data_change: bool = False
) -> dict[str, Any]:
    """Evaluates a run: prints the table, writes metrics.json and the confusion matrices.

    Args:
        run: The run, or a system of several.
        data: The run's dataset; loaded, and compared with what the run was made from, where it is not given. Of a
            system those of its members are loaded.
        accept_data_change: Whether other clips of the same classes than those that the run was made from are accepted.

    Returns:
        The content of metrics.json.

    Raises:
        UserError: The run's data are not those that it was made from.
    """
    if isinstance(run, TrainedSystem):
        return fuse(run.members, run.recipe.fuse.method, run.path, accept_data_change=accept_data_change)
    load_forms(run)
    if data is None:
        data = dataset.load_checked(run.folder, accept_data_change=accept_data_change)
        remove_unfinished(run.path)
    found = _with_devices(run, data)
    made_of = digests.network(run.folder)
    tested = {name: {digests.KEY: made_of} for name in found}
    for name in filter(lambda name: name.endswith(layout.OF_DEVICES), found):
        tested[name][products.DEVICES_KEY] = digests.sha256(run.folder.read_bytes(layout.DEVICES))
    if "int8" in tested:
        tested["int8"]["sha256"] = run.folder.read(layout.METADATA)["sha256"]
    return write_report(run.folder, data, found, tested)


def fuse(
    runs: Sequence[TrainedRun],
    method: str,
    out: str | Path,
    *,
    load: Callable[..., LoadedDataset] | None = None,
    accept_data_change: bool = False,
) -> dict[str, Any]:
    """Evaluates several runs as one; the int8 files are fused where every run has one.

    Args:
        runs: The runs.
        method: "mean" or "prod", the product of their probabilities.
        out: Folder that gets metrics.json, with the scores of each member too, and the confusion matrices.
        load: Function (recipe) that loads a run's dataset; without it datasets are loaded and compared with what the
            runs were made from.
        accept_data_change: As of `evaluate`.

    Returns:
        The content of metrics.json.

    Raises:
        UserError: The runs were not tested on the same clips, clips have several classes, or a run's data are not
            those that it was made from.
    """
    for run in runs:
        if dataset.multi_label(run.recipe):
            raise UserError(f"{run.path}: its clips have several classes, whose probabilities are not fused here.")
    check_members(runs)
    for run in runs:
        load_forms(run)
    if load:
        data = [load(run.recipe) for run in runs]
    else:
        data = [dataset.load_checked(run.folder, accept_data_change=accept_data_change) for run in runs]
    for run, run_data in zip(runs, data, strict=True):
        check_same_test(runs[0], data[0], run, run_data)
    labels, fused, members = data[0].labels(data[0].test), {}, {}
    every = [_with_devices(run, run_data) for run, run_data in zip(runs, data, strict=True)]
    for name in [name for name in every[0] if all(name in one for one in every)]:
        costs, probabilities = zip(*(one[name] for one in every), strict=True)
        cost = {key: sum(cost[key] for cost in costs) for key in costs[0]}
        fused[name] = cost, metrics.fuse(probabilities, method)
        summaries = [metrics.summary(labels, p) for p in probabilities]
        members[name] = {"members": {str(run.path): one for run, one in zip(runs, summaries, strict=True)}}
    return write_report(RunFolder(out, None), data[0], fused, members)


def check_fusion(runs: Sequence[str], method: str | None, out: str | None) -> None:
    """Checks the options of a fusion.

    Args:
        runs: Run folders.
        method: "mean", "prod" or None.
        out: Folder of the report, or None.

    Raises:
        UserError: They do not belong together, or `out` is a run folder.
    """
    if len(set(runs)) < max(2, len(runs)) or not (method and out):
        raise UserError("several different runs, --fuse prod or --fuse mean, and --out FOLDER belong together.")
    if RunFolder(out, None).has(layout.RECIPE):
        raise UserError(f"{out}: is a run folder, whose own report would be lost; choose another --out.")


def check_same_test(run: TrainedRun, data: LoadedDataset, other: TrainedRun, other_data: LoadedDataset) -> None:
    """Checks that two runs test the same segments.

    Raises:
        UserError: They do not.
    """
    names = data.names(data.test), other_data.names(other_data.test)
    for first, second in zip_longest(*names, fillvalue="no further clip"):
        if first != second:
            raise UserError(
                f"{other.path}: tests other clips than {run.path}: '{second}' where that has '{first}'; "
                "fuse runs of one dataset and test split."
            )


def validation_report(run: TrainedRun, data: LoadedDataset) -> dict[str, Any]:
    """Scores and costs of a run on its validation split, in the form of metrics.json.

    Args:
        run: The run.
        data: Its dataset, which has a validation split.
    """
    rows = data.validation
    return {
        name: {"cost": cost} | figures(data, rows, probabilities)
        for name, (cost, probabilities) in predictions(run, data, rows).items()
    }


def predictions(run: TrainedRun, data: LoadedDataset, rows: np.ndarray | None = None) -> Predictions:
    """Costs and probabilities of the run's float network and of its int8 file, if there is one.

    Args:
        run: The run.
        data: Its dataset.
        rows: Rows of the segments; those of the test split by default.

    Returns:
        (cost, (segments, classes) probabilities) by the name of the network, "float" or "int8".
    """
    inputs = build.evaluation_batches(run.folder, build.source(run.recipe, data, data.test if rows is None else rows))
    multi_label = dataset.multi_label(run.recipe)
    results = {}
    for name, form in load_forms(run).items():
        logits = build.outputs(form, inputs)
        results[name] = _cost(run, name), metrics.probabilities(logits, multi_label=multi_label)
    return results


def load_forms(run: TrainedRun) -> dict[str, Form]:
    """The networks of a run that are evaluated, by their names in the report; reads what the report needs beside them.

    Args:
        run: The run.

    Raises:
        UserError: A file of the run is missing or damaged.
    """
    run.folder.check((layout.LOG, layout.QAT_LOG, layout.PARITY))
    return {name: run.form(form) for name, form in NETWORKS.items() if name == "float" or form in run.forms}


def write_report(
    out: RunFolder,
    data: LoadedDataset,
    predictions: Predictions,
    further: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Prints the table and writes metrics.json, predictions.npz, report.html, MODEL_CARD.md and the confusion matrices.

    Args:
        out: Folder of the report.
        data: The dataset.
        predictions: As `predictions` returns them.
        further: Further entries of the report by the name of the network.

    Returns:
        The content of metrics.json.
    """
    rows, report = data.test, {}
    labels = data.labels(rows)
    for name, (cost, probabilities) in predictions.items():
        report[name] = {"cost": cost} | figures(data, rows, probabilities) | (further or {}).get(name, {})
        if labels.ndim == 1:
            table = metrics.confusion(labels, probabilities)
            out.write(layout.confusion(name), confusion.draw(table, data.classes, title=name))
    print(tables.evaluation(report, data.classes), flush=True)
    of_networks = {name: probabilities.astype(np.float32) for name, (_, probabilities) in predictions.items()}
    described = {"segments": data.names(rows), "recordings": data.recordings(rows), "labels": labels}
    out.write_arrays(layout.PREDICTIONS, described | of_networks)
    report_page.write(out, report, data, {name: probabilities for name, (_, probabilities) in predictions.items()})
    out.write_json(layout.METRICS, report)
    return report


def figures(data: LoadedDataset, rows: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """All scores of one network, those of whole files too where files have several segments.

    Args:
        data: The dataset.
        rows: Rows of the evaluated segments.
        probabilities: (segments, classes).
    """
    labels, files = data.labels(rows), data.column("file", rows)
    result = scores(data, rows, labels, probabilities)
    if len(np.unique(files)) < len(files):
        first, by_file = metrics.mean_by_file(files, probabilities)
        result["by_file"] = metrics.summary(labels[first], by_file)
    return result


def scores(data: LoadedDataset, rows: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Scores of one network: overall, by class, device and city, on devices and cities seen in training or not.

    Args:
        data: The dataset.
        rows: Rows of the evaluated segments.
        labels: Their labels, as metrics take them.
        probabilities: (segments, classes).
    """
    recordings = data.recordings(rows)
    result, intervals = _summary(labels, probabilities, recordings)
    of_classes = metrics.by_class(labels, probabilities)
    result["by_class"] = {name: float(value) for name, value in zip(data.classes, of_classes, strict=True)}
    if intervals is not None:
        result["by_class_interval"] = dict(zip(data.classes, intervals, strict=True))
        bins = calibration.reliability(labels, probabilities)
        temperature = calibration.temperature(labels, probabilities)
        result["calibration"] = {"error": calibration.expected_error(bins), "temperature": temperature}
    for kind, plural in (("device", "devices"), ("city", "cities")):
        tested = data.column(kind, rows)
        if not any(tested):
            continue
        known = set(data.column(kind, data.train)) | set(data.column(kind, data.validation))
        seen = np.array([f"seen {plural}" if value in known else f"unseen {plural}" for value in tested])
        result[f"by_{kind}"] = _by_group(labels, probabilities, recordings, tested)
        result |= _by_group(labels, probabilities, recordings, seen)
    return result


def _summary(labels, probabilities, recordings):
    """Scores with their 95 % intervals, and those of the classes; without them and None where clips have several."""
    scored, of_classes = metrics.summary(labels, probabilities), None
    if labels.ndim == 1:
        scored["interval"] = bootstrap.intervals(labels, probabilities, recordings)
        of_classes = scored["interval"].pop("by_class")
    return scored, of_classes


def _by_group(labels, probabilities, recordings, groups):
    """Scores of the clips of every group, by its name."""
    inside = {str(group): groups == group for group in np.unique(groups)}
    return {name: _summary(labels[rows], probabilities[rows], recordings[rows])[0] for name, rows in inside.items()}


def _with_devices(run, data):
    """`predictions` of a run and, where it has networks of single devices, of these."""
    return per_device.with_devices(run, data, predictions(run, data), NETWORKS, _cost)


def _cost(run, name):
    """{"parameters", "bytes" of parameters, "macs"} as the challenge counts; the float network has all in float."""
    counted = challenge.count(run.network, run.folder.read(layout.METADATA)["float_layers"] if name == "int8" else ())
    all_in_float = {"bytes": challenge.parameter_bytes(counted.parameters, in_float=counted.parameters)}
    return counted._asdict() | (all_in_float if name == "float" else {})
