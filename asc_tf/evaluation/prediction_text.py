"""Predictions of files as text for people, JSON or CSV, written file by file as they come."""

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from asc_tf.errors import printable
from asc_tf.evaluation import tables
from asc_tf.inference.sounds import Prediction

Write = Callable[[Prediction], None]  # takes all windows of one file


@contextlib.contextmanager
def as_text(out: TextIO, labels: Sequence[str]) -> Iterator[Write]:
    """Context with a function that writes a file's scenes: as a whole and window by window.

    Args:
        out: Where it writes.
        labels: Names of the classes.
    """
    separator = ""

    def write(prediction):
        nonlocal separator
        table = tables.prediction(printable(prediction.file), prediction.probabilities, prediction.start_s, labels)
        print(separator + table, file=out, flush=True)
        separator = "\n"

    yield write


@contextlib.contextmanager
def as_json(out: TextIO, labels: Sequence[str]) -> Iterator[Write]:
    """Context with a function that writes a file's entry of one JSON object, which the end of the context closes.

    Args:
        out: Where it writes.
        labels: Names of the classes.
    """
    separator = "{\n"

    def write(prediction):
        nonlocal separator
        tree = tables.prediction_tree(prediction.probabilities, prediction.start_s, labels)
        print(f"{separator}{json.dumps(prediction.file)}: {json.dumps(tree)}", end="", file=out, flush=True)
        separator = ",\n"

    yield write
    print("{}" if separator.startswith("{") else "\n}", file=out, flush=True)


@contextlib.contextmanager
def as_csv(out: TextIO, labels: Sequence[str], segment_s: float) -> Iterator[Write]:
    """Context with a function that writes a file's rows of a CSV table: a window a row, a probability a class.

    Args:
        out: Where it writes, opened with newline="".
        labels: Names of the classes.
        segment_s: Length of a window in seconds.
    """
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["file", "start_s", "end_s", "scene", *labels])

    def write(prediction):
        file = printable(prediction.file)
        for start_s, row in zip(prediction.start_s, prediction.probabilities, strict=True):
            times = [f"{time_s:.10g}" for time_s in (start_s, start_s + segment_s)]
            table.writerow([file, *times, labels[row.argmax()], *(f"{p:.9g}" for p in row)])
        out.flush()

    yield write
