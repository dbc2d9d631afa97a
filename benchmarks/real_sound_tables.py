"""Tables of benchmarks/real_sound.py: those of its page and the README's, made from its record of every run.

Output: benchmarks/real_sound.md, whose protocol stays as it is, and the table of the README, which also has the file of
        benchmarks/rivals_esc10.json.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).with_name("real_sound.md")
RECORD = PAGE.with_suffix(".json")
RIVAL = Path(__file__).with_name("rivals_esc10.json")
README = Path(__file__).parents[1] / "README.md"
README_ENDS = "<!-- Written by benchmarks/real_sound.py -->\n", "<!-- to here -->\n"
BELOW = "<!-- Below: written by benchmarks/real_sound.py -->"
FOLDS = 4
KINDS = ("seconds", "clips")
COSTS = ("parameters", "bytes", "file_bytes", "macs", "latency_ms")


def spread(values: Sequence[float], sign: str = "") -> str:
    """Mean and, of several values, their standard deviation (n - 1)."""
    std = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):{sign}.1f}{std}"


def of_seeds(record: Mapping[str, Mapping[str, Any]], *path: str) -> list[float]:
    """A figure of every seed, the mean over its folds.

    Args:
        record: {"fold seed": record} of a row.
        path: Keys of the figure in a record.
    """
    values = {}
    for key, entry in record.items():
        for part in path:
            entry = entry.get(part, {})
        if entry != {}:
            values.setdefault(key.split()[1], []).append(entry)
    return [float(np.mean(of_seed)) for of_seed in values.values()]


def whole_seeds(record: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The part of a row's record that is of the seeds with the most folds: other seeds are not finished.

    Args:
        record: {"fold seed": record} of a row.
    """
    folds = Counter(key.split()[1] for key in record)
    most = max(folds.values())
    return {key: entry for key, entry in record.items() if folds[key.split()[1]] == most}


def tables(records: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The tables in Markdown.

    Args:
        records: {row: {"fold seed": record}}.
    """
    records = {name: whole_seeds(record) for name, record in records.items()}
    head = ["network", "parameters", "bytes", "file", "MACs", "ms", "seconds", "int8", "clips", "int8"]
    head += ["overlapping", "fold 4: seconds", "clips", "folds", "seeds"]
    of_clips = []
    for name, record in records.items():
        last = _last_form(record)
        cost = next(iter(record.values()))["cost"][last]
        scores = [_cell(of_seeds(record, form, "clean", kind)) for kind in KINDS for form in ("float", "int8")]
        measured = all("overlapping" in entry[last] for entry in record.values())
        scores.append(_cell(of_seeds(record, last, "overlapping", "clips") if measured else []))
        scores += [_cell(of_seeds(_fold_4(record), last, "clean", kind)) for kind in KINDS]
        costs = [f"{cost[key]:,}" if key in cost else "-" for key in COSTS]
        of_clips.append([name, *costs, *scores, *_counts(record)])
    with_sound = []
    for name, record in records.items():
        of_float, of_int8 = (of_seeds(record, form, "clean", "with sound") for form in ("float", "int8"))
        less = spread(np.subtract(of_int8, of_float), "+") if of_int8 else "-"
        with_sound.append([name, _cell(of_float), _cell(of_int8), less])
    by_microphone = []
    for name, record in records.items():
        form = _last_form(record)
        clean, *others = (of_seeds(record, form, kind, "seconds") for kind in ("clean", "microphones", "made_up"))
        cells = [part for other in others for part in (spread(other), spread(np.subtract(clean, other)))]
        by_microphone.append([name, form, spread(clean), *cells])
    lost = ["network", "form", "clean", "unseen microphones", "lost", "made-up devices", "lost"]
    parts = [
        _table(head, of_clips),
        "Seconds that are not digital silence:",
        _table(["network", "float", "int8", "int8 less float"], with_sound),
        "Seconds, clean and by microphones that no training used:",
        _table(lost, by_microphone),
    ]
    return "\n\n".join(parts)


def short_table(records: Mapping[str, Mapping[str, Mapping[str, Any]]], rival: Mapping[str, Any]) -> str:
    """The README's table in Markdown: rows of all folds in their last form, ACDNet's file on the fold not trained on.

    Args:
        records: {row: {"fold seed": record}}.
        rival: What benchmarks/rivals_esc10.json holds.
    """
    head = ["network", "parameters", "MACs", "file, bytes", "seconds, %", "clips, %"]
    head += ["fold 4: seconds", "clips", "seconds lost by unseen microphones", "seeds"]
    rows = []
    for name, record in ((name, whole_seeds(record)) for name, record in records.items()):
        folds, seeds = _counts(record)
        if folds < FOLDS:
            continue
        form = _last_form(record)
        cost = next(iter(record.values()))["cost"][form]
        scores = [_cell(of_seeds(part, form, "clean", kind)) for part in (record, _fold_4(record)) for kind in KINDS]
        clean, unseen = (of_seeds(record, form, sounds, "seconds") for sounds in ("clean", "microphones"))
        costs = [f"{cost[key]:,}" if key in cost else "-" for key in ("parameters", "macs", "file_bytes")]
        rows.append([name, *costs, *scores, spread(np.subtract(clean, unseen)), seeds])
    second, crop = rival["ten"]["second"], rival["ten"]["crop"]
    scores = [
        f"{100 * right / of:.1f}"
        for right, of in ((second["right_parts"], second["parts"]), (crop["right_clips"], crop["clips"]))
    ]
    costs = [f"{rival[key]:,}" for key in ("parameters", "macs", "bytes")]
    rows.append(["ACDNet-20, its authors' int8 file", *costs, "-", "-", *scores, "-", "-"])
    return _table(head, rows) + "\n"


def _counts(record):
    """Numbers of folds and seeds."""
    return [len(set(part)) for part in zip(*map(str.split, record), strict=True)]


def _fold_4(record):
    return {key: entry for key, entry in record.items() if key.split()[0] == "4"}


def _last_form(record):
    """The int8 file where the row has one."""
    return "int8" if all("int8" in entry for entry in record.values()) else "float"


def _cell(values):
    return spread(values) if values else "-"


def _table(head, rows):
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (head, ["---"] * len(head), *rows))


def write(records: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Writes the tables to the page and the README.

    Args:
        records: {row: {"fold seed": record}}.
    """
    protocol = PAGE.read_text(encoding="utf-8").split(BELOW)[0]
    PAGE.write_text(f"{protocol}{BELOW}\n\n{tables(records)}\n", encoding="utf-8")
    before, rest = README.read_text(encoding="utf-8").split(README_ENDS[0])
    _, after = rest.split(README_ENDS[1])
    table = short_table(records, json.loads(RIVAL.read_text()))
    README.write_text(f"{before}{README_ENDS[0]}{table}{README_ENDS[1]}{after}", encoding="utf-8")
