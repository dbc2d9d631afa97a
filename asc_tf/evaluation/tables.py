"""Tables for the console: evaluations, counts of clips, predictions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asc_tf import metrics
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.data.datasets.listing import Listing
from asc_tf.runs import layout


def evaluation(report: Mapping[str, Mapping[str, Any]], classes: Sequence[str]) -> str:
    """Table of an evaluation, a column for every network.

    Args:
        report: Content of metrics.json.
        classes: Names of the classes.
    """
    names = list(report)
    monitor = metrics.monitor(report[names[0]])
    title = monitor.replace("_", " ")
    lines = [_row("", names)]
    lines += [_row(title, [_percent(report[n][monitor]) for n in names])]
    lines += [_row("log loss", [f"{report[n]['log_loss']:.3f}" for n in names])]
    for member in report[names[0]].get("members", {}):
        lines += [_row(f"  of {member}", [_percent(report[n]["members"][member]["macro_accuracy"]) for n in names])]
    if "by_file" in report[names[0]]:
        lines += [_row(f"{title}, whole files", [_percent(report[n]["by_file"][monitor]) for n in names])]
    for group in [key for key in report[names[0]] if key.startswith(("seen ", "unseen "))]:
        lines += [_row(group, [_percent(report[n][group][monitor]) for n in names])]
    for kind in ("by_device", "by_city"):
        for group in report[names[0]].get(kind, {}):
            lines += [_row(f"  {kind[3:]} {group}", [_percent(report[n][kind][group][monitor]) for n in names])]
    for name in classes:
        lines += [_row(f"  {name}", [_percent(report[n]["by_class"][name]) for n in names])]
    lines += [_row("parameters", [f"{report[n]['cost']['parameters']:,}" for n in names])]
    lines += [
        _row(f"parameter bytes (limit {MAX_BYTES:,})", [_limited(report[n]["cost"]["bytes"], MAX_BYTES) for n in names])
    ]
    lines += [_row(f"MACs (limit {MAX_MACS:,})", [_limited(report[n]["cost"]["macs"], MAX_MACS) for n in names])]
    return "\n".join([*lines, "", *_counting_lines(report)])


def _counting_lines(report):
    """What the costs in a report are."""
    counts = {
        "float": "four bytes a parameter, the limit holds for a network submitted in float32",
        "int8": "one byte a parameter, four in layers that stay in float",
    }
    kinds = [f"{name}: {text}" for name, text in counts.items() if name in report]
    if any(name.endswith(layout.OF_DEVICES) for name in report):
        kinds.append("per device: a network for each device, the general one for others; costs of the largest of them")
    lines = ["costs as the DCASE challenge counts, MACs before batch norms are folded (rule T)", *kinds]
    members = next(iter(report.values())).get("members", {})
    return [*lines, f"costs and limits are those of all {len(members)} members together"] if members else lines


def counts(listing: Listing) -> str:
    """Table of the clips of a dataset by class, device and city (where they are known) in each split."""
    totals = Counter(listing.split)
    splits = [split for split in ("train", "validation", "test") if totals[split] or split != "validation"]
    lines = [_row(f"{len(listing.file):,} clips", splits)]
    of_classes = listing.label if listing.multi_label else [(label,) for label in listing.label]
    for title, column, names in (
        ("class", of_classes, listing.classes),
        ("device", [(device,) for device in listing.device], sorted(set(listing.device))),
        ("city", [(city,) for city in listing.city], sorted(set(listing.city))),
    ):
        if any(names):
            pairs = zip(column, listing.split, strict=True)
            counter = Counter((name, split) for clip_names, split in pairs for name in clip_names)
            cells = [[f"{counter[name, split]:,}" for split in splits] for name in names]
            lines += ["", title]
            lines += [_row(f"  {name or 'unknown'}", row) for name, row in zip(names, cells, strict=True)]
    return "\n".join([*lines, "", _row("all", [f"{totals[split]:,}" for split in splits])])


def prediction(title: str, probabilities: np.ndarray, start_s: np.ndarray, classes: Sequence[str]) -> str:
    """The three most probable classes of a sound, and the most probable one of every window.

    Args:
        title: Name of the sound.
        probabilities: (windows, classes).
        start_s: (windows,) start of every window in seconds.
        classes: Names of the classes.
    """
    mean = probabilities.mean(0)
    best = mean.argsort()[::-1][:3]
    lines = [f"{title}: " + ", ".join(f"{classes[i]} {_percent(mean[i])}" for i in best)]
    for start, p in zip(start_s, probabilities, strict=True):
        lines.append(f"  {start:10.2f} s  {classes[p.argmax()]:<20s} {_percent(p.max())}")
    return "\n".join(lines)


def prediction_tree(probabilities: np.ndarray, start_s: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """All probabilities of a sound, for JSON.

    Args:
        probabilities: (windows, classes).
        start_s: (windows,) start of every window in seconds.
        classes: Names of the classes.
    """
    mean, rows = probabilities.mean(0).tolist(), probabilities.tolist()
    return {"labels": list(classes), "mean": mean, "start_s": start_s.tolist(), "seconds": rows}


def _row(title, cells):
    return f"{title:<36s}" + "".join(f"{cell:>20s}" for cell in cells)


def _percent(share):
    return "-" if share != share else f"{100 * share:.1f} %"  # NaN: a class without clips


def _limited(value, limit):
    return f"{value:,}" + (" OVER" if value > limit else "")
