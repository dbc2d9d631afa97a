"""The output of a system on the evaluation set: a row a file, tab separated, with the ten probabilities."""

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from asc_tf.submission.rules import FIELDS, SCENES

TOLERANCE = 1e-3  # of the sum of a row's probabilities from 1
DECIMALS = 6
MOST_MESSAGES = 20  # of one kind, a file; the others are counted


def text(names: Sequence[str], probabilities: np.ndarray) -> str:
    """The content of an output file.

    Args:
        names: (files,) names as the evaluation set's.
        probabilities: (files, ten) in the order of SCENES.

    Raises:
        ValueError: A probability is not finite.
    """
    if not np.isfinite(probabilities).all():
        raise ValueError("a probability is not finite")
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(FIELDS)
    labels = np.array(SCENES)[probabilities.argmax(1)]
    rows = np.char.mod(f"%.{DECIMALS}f", probabilities)
    writer.writerows([name, label, *row] for name, label, row in zip(names, labels, rows.tolist(), strict=True))
    return stream.getvalue()


def defects(file: Path, names: Sequence[str]) -> list[str]:
    """What is wrong with an output file.

    Args:
        file: The file.
        names: Names of the evaluation set's files.

    Returns:
        Messages, "FILE:LINE: rule; fix".
    """
    try:
        content = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return [f"{file}: is not UTF-8; write it anew as UTF-8."]
    if not content.strip():
        return [f"{file}: is empty; write a head and a row for every file."]
    lines = content.splitlines()
    if "\t" not in lines[0]:
        return [f"{file}:1: has no tabs; separate the fields by tabs."]
    head = lines[0].split("\t")
    if sorted(head) != sorted(FIELDS):
        return [f"{file}:1: the fields are {', '.join(head)}; they must be {', '.join(FIELDS)}."]
    if head != list(FIELDS):
        return [f"{file}:1: the fields are in another order; write {', '.join(FIELDS)}."]
    rows = [line.split("\t") for line in lines[1:]]
    broken = [number for number, row in enumerate(rows, 2) if len(row) != len(FIELDS)]
    found = [f"{file}:{number}: has {len(rows[number - 2])} fields; write {len(FIELDS)}." for number in broken]
    numbered = list(enumerate(rows, 2))
    found = _limited(file, found, "rows with another number of fields")
    for kind, messages in (
        ("file names", _names(file, numbered, names)),
        ("probabilities", _probabilities(file, [one for one in numbered if len(one[1]) == len(FIELDS)])),
    ):
        found += _limited(file, list(messages), kind)
    return found


def _names(file: Path, rows: Sequence[tuple[int, list[str]]], names: Sequence[str]) -> Iterator[str]:
    known, seen = {os.path.basename(name) for name in names}, {}
    for number, row in rows:
        name = os.path.basename(row[0])
        if name in seen:
            yield f"{file}:{number}: {row[0]} was in line {seen[name]} already; keep one row a file."
        elif name not in known:
            ending = "" if name.endswith(".wav") else ", and its ending is not .wav"
            yield f"{file}:{number}: {row[0]} is not in the evaluation set{ending}; name its files as it does."
        seen.setdefault(name, number)
    if missing := known - seen.keys():
        yield f"{file}: {len(missing):,} files of the evaluation set are missing, {min(missing)} among them; add them."


def _probabilities(file: Path, rows: Sequence[tuple[int, list[str]]]) -> Iterator[str]:
    for number, row in rows:
        for fault in _faults(*row):
            yield f"{file}:{number}: {fault}"


def _faults(name: str, scene: str, *cells: str) -> Iterator[str]:
    """What is wrong with the scene and the probabilities of a row."""
    if scene not in SCENES:
        yield f"'{scene}' is not a scene; it is one of {', '.join(SCENES)}."
    values = list(map(_number, cells))
    if None in values:
        yield f"'{cells[values.index(None)]}' is not a number; write probabilities as 0.123456."
    elif not all(map(math.isfinite, values)):
        yield f"a probability is NaN or infinite; the network's output is broken for {name}."
    elif min(values) < 0 or max(values) > 1:
        yield "a probability is below 0 or above 1; write the softmax of the logits."
    elif abs(sum(values) - 1) > TOLERANCE:
        yield f"the probabilities sum to {sum(values):.4f}, not to 1; write the softmax of the logits."
    elif scene in SCENES and values[SCENES.index(scene)] < max(values):
        best = SCENES[values.index(max(values))]
        yield f"the scene is {scene}, but {best} has the largest probability; name that."


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _limited(file, messages, kind):
    rest = len(messages) - MOST_MESSAGES
    more = [f"{file}: {rest:,} more messages on {kind} were left out."] if rest > 0 else []
    return [*messages[:MOST_MESSAGES], *more]
