"""Content of the files in a run folder: one reader for each kind of file, which checks what it reads.

A file that is damaged, of another kind or of another run is found here, with what to do about it.
"""

import csv
import functools
import io
import json
import math
import struct
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from asc_tf.runs import layout

# Errors that reading damaged bytes leads to.
DAMAGE = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, OverflowError, MemoryError, RecursionError,
    NotImplementedError, RuntimeError, csv.Error, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip
HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"  # how files of weights and of arrays begin
NUMBER = (int, float)

_TRAIN = "Restore it from a copy, or train the run to its end in another --out."
_EXPORT = "Make it anew with asc-tf export tflite RUN."
_AGAIN = "Remove it: it is written again."


class FileKind(NamedTuple):
    """How a file of a run is read.

    Args:
        parse: Function from its bytes to its content; raises one of DAMAGE where they are not what they must be.
        fix: What a user can do where the file is damaged or missing.
    """

    parse: Callable[[bytes], Any]
    fix: str


def of(name: str) -> FileKind:
    """How a file of a run is read: by its name, else by its ending.

    Args:
        name: The file's path in the run.
    """
    if name in KINDS:
        return KINDS[name]
    by_ending = {".json": FileKind(tree, _TRAIN), ".npz": FileKind(arrays, _AGAIN)}
    return by_ending.get(name[name.rfind(".") :], FileKind(bytes.decode, _TRAIN))


def labels(content: bytes) -> tuple[str, ...]:
    """Names of classes, one a line: printable and different from each other."""
    names = tuple(content.decode().splitlines())
    if not names or len(set(names)) < len(names) or not all(name and name.isprintable() for name in names):
        raise ValueError("not one printable name a line, each once")
    return names


def tree(content: bytes, *, undefined: bool = False) -> Any:
    """Content of a JSON file in UTF-8, whose numbers are finite.

    Args:
        content: Bytes of the file.
        undefined: Whether it may have NaN too: figures that are not defined, such as the accuracy of a class of which
            no clip was tested.
    """

    def constant(text):
        if undefined and text == "NaN":
            return math.nan
        raise ValueError(f"{text} is no number")

    return json.loads(content.decode(), parse_constant=constant, parse_float=_finite)


def tree_like(like: Any, *, undefined: bool = False) -> Callable[[bytes], Any]:
    """A function from the bytes of a JSON file to its content, which has a given form.

    Args:
        like: A type, or several; a list with the form of its items; a dict with the forms of its keys, the key "*"
            standing for all others. Further keys are allowed.
        undefined: As of `tree`.
    """

    def parse(content):
        value = tree(content, undefined=undefined)
        _check(value, like, "its content")
        return value

    return parse


def arrays(content: bytes, *, log: str = "") -> dict[str, np.ndarray]:
    """Arrays of an NPZ file, by name; all numbers are finite.

    Args:
        content: Bytes of the file.
        log: Name of an array that may have others too: scores of an epoch that were not computed.
    """
    if not content.startswith(ZIP):
        raise ValueError("no archive of arrays")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        values = dict(stored)
    for name, value in values.items():
        if not isinstance(value, np.ndarray):
            raise ValueError(f"'{name}' is no array")
        if value.dtype.kind not in "US" and name != log and not np.isfinite(value).all():
            raise ValueError(f"'{name}' has numbers that are not finite")
    return values


def packed(values: Mapping[str, np.ndarray]) -> bytes:
    """Bytes of an NPZ file.

    Args:
        values: Arrays by name.
    """
    content = io.BytesIO()
    np.savez(content, **values)
    return content.getvalue()


def rows(content: bytes) -> list[dict[str, str]]:
    """Rows of a CSV file of epochs by column, all of the same columns."""
    names, *cells = csv.reader(io.StringIO(content.decode(), newline=""))
    if "epoch" not in names or not cells:
        raise ValueError("no row an epoch")
    _ = [float(cell) for row in cells for cell in row if cell]  # every cell is a number
    return [dict(zip(names, row, strict=True)) for row in cells]


def _parity(content):
    value = tree_like({"network_sha256": str, "*": object}, undefined=True)(content)
    layer = {"layer": str, "operation": str, "error": NUMBER, "own_error": NUMBER}
    _check(value.get("layers", []), [layer], "'layers'")
    return value


def _predictions(content):
    values = arrays(content)
    lengths = {len(values[name]) for name in ("segments", "recordings", "labels", *values)}
    if len(lengths) != 1:
        raise ValueError("not a row a segment")
    return values


def _normalisation(content):
    values = arrays(content)
    mean, std = values["mean"], values["std"]
    if mean.dtype.kind != "f" or std.dtype.kind != "f" or mean.shape != std.shape or not (std > 0).all():
        raise ValueError("not a mean and a std above 0 of every band")
    return {"mean": mean, "std": std}


def _state(content):
    values = arrays(content, log="rows")
    rows, columns, best = values["rows"], values["columns"], values["best"]
    if rows.ndim != 2 or rows.shape[1:] != columns.shape or best.shape or columns.dtype.kind != "U":
        raise ValueError("its log is not a row an epoch")
    values["made_from"].reshape(())
    return values


def _qat_state(content):
    values = arrays(content)
    if values["losses"].ndim != 1 or values["made_from"].shape:
        raise ValueError("its log is not a loss an epoch")
    return values


def _recipe(content):
    text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    tomllib.loads(text)
    return text


def _weights(content):
    if not content.startswith(HDF5):
        raise ValueError("no HDF5 file")
    return content


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


def _check(value, like, where):
    """Raises ValueError unless a JSON value has a form, see `tree_like`."""
    kind = like if isinstance(like, type | tuple) else type(like)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where} is {json.dumps(value)[:40]}")
    if isinstance(like, list):
        for item in value:
            _check(item, like[0], f"an item of {where}")
    elif isinstance(like, dict):
        for key in like.keys() - {"*"}:
            if key not in value:
                raise ValueError(f"{where} lacks '{key}'")
            _check(value[key], like[key], f"'{key}'")
        for key in value.keys() - like.keys() if "*" in like else ():
            _check(value[key], like["*"], f"'{key}'")


_COST = {"parameters": int, "bytes": int, "macs": int}
_CARD = {
    "labels": [str],
    "segment_s": NUMBER,
    "feature": {"name": str, "sample_rate_hz": int},
    "float_layers": [str],
    "sha256": str,
    "network_sha256": str,
    "challenge": _COST,
    "bytes": {"file": int, "parameters": int, "activations_at_least": int},
    "macs": int,
}

KINDS = {
    layout.RECIPE: FileKind(_recipe, "It is a run's own recipe: restore it from a copy."),
    layout.LABELS: FileKind(labels, _TRAIN),
    layout.NORMALISATION: FileKind(_normalisation, _TRAIN),
    layout.STATE: FileKind(_state, _TRAIN),
    layout.BEST_WEIGHTS: FileKind(_weights, _TRAIN),
    layout.DIGESTS: FileKind(tree_like({"*": str}), _TRAIN),
    layout.TEACHERS: FileKind(tree_like({"*": str}), _TRAIN),
    layout.LOG: FileKind(rows, _AGAIN),
    layout.QAT_LOG: FileKind(rows, _AGAIN),
    layout.PREDICTIONS: FileKind(_predictions, "Run asc-tf evaluate RUN again."),
    layout.METRICS: FileKind(
        tree_like({"*": {"log_loss": NUMBER, "cost": _COST}}, undefined=True),
        "Remove it: train --resume evaluates the run again.",
    ),
    layout.VALIDATION: FileKind(
        functools.partial(tree, undefined=True), "Remove it: the search computes it again from the run."
    ),
    layout.PARITY: FileKind(_parity, "Remove it: it is made again."),
    layout.TIMES: FileKind(tree_like({"*": {"seconds": NUMBER, "peak_memory_bytes": int}}), _AGAIN),
    layout.MLFLOW: FileKind(tree_like({"run_id": str}), "Remove it: the run goes on in a new one of MLflow."),
    layout.ENSEMBLE: FileKind(tree_like({"members": [str], "alpha": [NUMBER], "beta": [NUMBER]}), _TRAIN),
    layout.MEMBERS: FileKind(tree_like([str]), _TRAIN),
    layout.QAT_STATE: FileKind(_qat_state, "Remove it, and quantise the run again."),
    layout.METADATA: FileKind(tree_like(_CARD), _EXPORT),
    layout.DEVICES: FileKind(
        tree_like({"network_sha256": str, "general": _COST, "devices": {"*": {"network_sha256": str} | _COST}}), _EXPORT
    ),
    layout.FLOAT16_METADATA: FileKind(tree_like({"sha256": str, "network_sha256": str}), f"{_EXPORT[:-1]} --float16."),
    layout.INT8: FileKind(bytes, _EXPORT),
    layout.FLOAT16: FileKind(bytes, f"{_EXPORT[:-1]} --float16."),
    layout.WAVE: FileKind(bytes, _EXPORT),
    layout.IMPORT_REPORT: FileKind(bytes.decode, "Restore it from a copy, or import the weights again."),
}
