"""The report of an evaluation: report.html, one file without any other, and MODEL_CARD.md."""

import base64
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import soundfile
from matplotlib import image

import asc_tf
from asc_tf import build, dataset, metrics
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.data import batches
from asc_tf.dataset import LoadedDataset
from asc_tf.evaluation import templates
from asc_tf.evaluation.templates import percent
from asc_tf.metrics import bootstrap, calibration
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder

WRONG_CLIPS = 10
LOSSES = ("loss", "val_loss")  # beside them the columns that end in _loss
HEIGHT_PX, WIDTH_PX = 2, 4  # of a cell of a spectrogram
INTENDED = (
    "Names the acoustic scene, or the kind of sound, of short segments of audio; for research, and for devices after a "
    "test on recordings of their own microphones and places.",
    "Not for decisions about persons, for surveillance, or where a wrong class does harm.",
)


def write(
    out: RunFolder,
    report: Mapping[str, Mapping[str, Any]],
    data: LoadedDataset,
    probabilities: Mapping[str, np.ndarray],
) -> None:
    """Writes report.html and MODEL_CARD.md.

    Args:
        out: The run, or a folder that has a report only.
        report: Content of metrics.json.
        data: The dataset, of which the test split was evaluated.
        probabilities: (segments, classes) by the name of the network.
    """
    content = {
        "title": out.recipe.name if out.recipe else out.path.name,
        "forms": list(report),
        "overview": _overview(report),
        "recordings": f"{len(np.unique(data.recordings(data.test))):,}",
        "draws": f"{bootstrap.DRAWS:,}",
        "seen_note": "Seen devices and cities are those of the training, unseen ones are not." if _seen(report) else "",
        "bars": _bars(report, data.classes),
        "classes": data.classes,
        "curves": _curves(out),
        "costs": _costs(report),
        "layers": _layers(out),
        "recipe": out.read(layout.RECIPE) if out.recipe else "",
    }
    labels = data.labels(data.test)
    if labels.ndim == 1:
        last = list(probabilities)[-1]
        content["matrices"] = [(name, metrics.confusion(labels, p).tolist()) for name, p in probabilities.items()]
        content["calibration"] = [_calibration(name, labels, p, report) for name, p in probabilities.items()]
        content["clips_of"] = f"the {last} network"
        content["clips"] = _wrong_clips(out.recipe, data, labels, probabilities[last]) if out.recipe else []
    content["card"] = card(out.recipe, report, data)
    content["summary"] = content["card"][0][1][0]
    out.write(layout.REPORT, templates.render("report.html.jinja", content))
    out.write(layout.MODEL_CARD, templates.render("model_card.md.jinja", content))


def card(recipe: Recipe | None, report: Mapping[str, Mapping[str, Any]], data: LoadedDataset) -> list:
    """The model card: [(heading, [line])].

    Args:
        recipe: The run's recipe, or None for a system.
        report: Content of metrics.json.
        data: The dataset.
    """
    first = next(iter(report.values()))
    monitor = metrics.monitor(first)
    network = f"{recipe.model.name} of the recipe {recipe.name}" if recipe else "A system of several networks"
    counts = {split: len(getattr(data, split)) for split in ("train", "validation", "test")}
    what = (
        f"{network}, {first['cost']['parameters']:,} parameters and {first['cost']['macs']:,} MACs a segment, for "
        f"{len(data.classes)} classes: {', '.join(data.classes)}. Made by asc_tf {asc_tf.__version__}."
    )
    of_data = [
        f"{name}: {counts[split]:,} segments of {len(np.unique(data.column('file', getattr(data, split)))):,} files"
        for split, name in (("train", "Training"), ("validation", "Validation"), ("test", "Test"))
        if counts[split]
    ]
    if recipe:
        of_data.insert(0, f"Dataset {recipe.dataset.name}, {data.listing.root.name}.")
        if recipe.dataset.name == "made_up":
            of_data.append("The sounds are synthesised: the figures do not carry over to real ones.")
    figures = [f"{name}: {monitor.replace('_', ' ')} {_with_interval(one, monitor)}" for name, one in report.items()]
    limits = ["Figures hold for the test split above; other places and microphones give others."]
    for group in _seen(report):
        last = list(report.values())[-1]
        limits.append(f"{group}: {_with_interval(last[group], monitor)} ({list(report)[-1]}).")
    return [
        ("What", [what]),
        ("Data", of_data),
        ("Intended use", list(INTENDED)),
        ("Figures", figures),
        ("Limits", limits),
    ]


def _seen(report):
    first = next(iter(report.values()))
    return [key for key in first if key.startswith(("seen ", "unseen "))]


def _with_interval(scores, key):
    text = f"{scores[key]:.3f}" if key == "log_loss" else percent(scores[key])
    interval = scores.get("interval", {}).get(key)
    if interval is None:
        return text
    lower, upper = (f"{one:.3f}" if key == "log_loss" else f"{100 * one:.1f}" for one in interval)
    return f"{text} ({lower} to {upper})"


def _overview(report):
    monitor = metrics.monitor(next(iter(report.values())))
    rows = [("macro accuracy" if monitor == "macro_accuracy" else "mean average precision", (), monitor)]
    rows += [("log loss", (), "log_loss")]
    rows += [(group, (group,), monitor) for group in _seen(report)]
    if "by_file" in next(iter(report.values())):
        rows += [("whole files", ("by_file",), monitor)]
    return [
        {"title": title, "cells": [_with_interval(_at(one, path), key) for one in report.values()]}
        for title, path, key in rows
    ]


def _at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def _bars(report, classes):
    """Charts of the accuracy by class, device and city."""
    first = next(iter(report.values()))
    monitor = metrics.monitor(first)
    of_class = {
        name: [
            (one["by_class"][label], *one.get("by_class_interval", {}).get(label, (None, None))) for label in classes
        ]
        for name, one in report.items()
    }
    charts = [{"kind": "class", "names": list(classes), "series": list(of_class.items())}]
    for kind in ("device", "city"):
        groups = list(first.get(f"by_{kind}", {}))
        if groups:
            series = {
                name: [
                    (scores[monitor], *scores.get("interval", {}).get(monitor, (None, None)))
                    for scores in (one[f"by_{kind}"][group] for group in groups)
                ]
                for name, one in report.items()
            }
            charts.append({"kind": kind, "names": groups, "series": list(series.items())})
    return charts


def _calibration(name, labels, probabilities, report):
    bins = calibration.reliability(labels, probabilities)
    inside = report[name]["calibration"]["temperature"] < 0.99 * calibration.MOST
    return {"name": name, "bins": bins, "inside": inside, **report[name]["calibration"]}


def _curves(out):
    """Charts of the logs of training and of quantisation-aware training."""
    charts = []
    for file, prefix in ((layout.LOG, ""), (layout.QAT_LOG, "int8: ")):
        if not out.recipe or not out.has(file):
            continue
        rows = out.read(file)
        columns = {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else {})}
        losses = {name: values for name, values in columns.items() if name in LOSSES or name.endswith("_loss")}
        accuracies = {name: values for name, values in columns.items() if "accuracy" in name or "precision" in name}
        rates = {name: values for name, values in columns.items() if "rate" in name}
        for title, series in (("losses", losses), ("accuracy", accuracies), ("learning rate", rates)):
            if series:
                charts.append({"title": prefix + title, "series": list(series.items()), "epochs": len(rows)})
    return charts


def _number(text):
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _costs(report):
    rows = (("parameters", "parameters", None), ("bytes of parameters", "bytes", MAX_BYTES), ("MACs", "macs", MAX_MACS))
    return [
        {
            "title": title,
            "limit": f"{limit:,}" if limit else "",
            "cells": [
                {"text": f"{one['cost'][key]:,}", "over": bool(limit) and one["cost"][key] > limit}
                for one in report.values()
            ],
        }
        for title, key, limit in rows
    ]


def _layers(out):
    """Errors of the layers of the int8 file, the largest first, where the parity of this run has them."""
    if not out.recipe or not out.has(layout.PARITY):
        return []
    return sorted(out.read(layout.PARITY).get("layers", []), key=lambda layer: -layer["own_error"])


def _wrong_clips(recipe, data, labels, probabilities):
    own = probabilities[np.arange(len(labels)), labels]
    worst = [
        index
        for index in np.argsort(own, kind="stable")[:WRONG_CLIPS]
        if probabilities[index].argmax() != labels[index]
    ]
    if not worst:
        return []
    rows = data.test[worst]
    source = build.source(recipe, data, rows)
    waves = np.concatenate([np.asarray(batch["wave"]) for batch in batches.evaluation(source, len(rows))])
    pictures = np.asarray(build.front_end(recipe)(waves))[..., 0]
    rate_hz = dataset.sample_rate_hz(recipe)
    return [
        {
            "name": name,
            "label": data.classes[labels[index]],
            "predicted": data.classes[probabilities[index].argmax()],
            "probability": probabilities[index].max(),
            "own": own[index],
            "picture": _picture(picture),
            "sound": _sound(wave, rate_hz),
        }
        for name, index, picture, wave in zip(data.names(rows), worst, pictures, waves, strict=True)
    ]


def _picture(level: np.ndarray) -> str:
    """A spectrogram as the address of a PNG that holds it."""
    stream = io.BytesIO()
    cells = np.repeat(np.repeat(level[::-1], HEIGHT_PX, 0), WIDTH_PX, 1)
    image.imsave(stream, cells, cmap="magma", format="png")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _sound(wave: np.ndarray, rate_hz: int) -> str:
    """A sound as the address of a WAV that holds it, its peak at full scale so that quiet ones can be listened to."""
    stream = io.BytesIO()
    peak = np.abs(wave).max()
    soundfile.write(stream, wave / peak if peak else wave, rate_hz, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(stream.getvalue()).decode()
