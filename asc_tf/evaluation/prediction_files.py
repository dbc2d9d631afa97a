"""Predictions of files in a CSV file, and their embeddings in an NPZ file; complete, or not there at all.

What is written goes to temporary files without a name, beside the output, so that memory does not grow.
"""

import codecs
import contextlib
import functools
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from asc_tf.errors import UserError
from asc_tf.evaluation import prediction_text
from asc_tf.inference.sounds import Prediction
from asc_tf.runs import atomic


@contextlib.contextmanager
def csv_file(path: str | Path, labels: Sequence[str], segment_s: float) -> Iterator[prediction_text.Write]:
    """Context of prediction_text.as_csv whose end makes the file.

    Args:
        path: The CSV file; an existing one is replaced.
        labels: Names of the classes.
        segment_s: Length of a window in seconds.

    Raises:
        UserError: The file cannot be written.
    """
    path = _checked(path)
    with _temporary(path) as content:
        out = codecs.getwriter("utf-8")(content)
        with prediction_text.as_csv(out, labels, segment_s) as write:
            yield lambda prediction: _written(path, lambda: write(prediction))
        _written(path, lambda: atomic.write(path, lambda file: _copy(content, file)))


@contextlib.contextmanager
def embeddings_file(
    path: str | Path, labels: Sequence[str]
) -> Iterator[Callable[[Iterable[Prediction]], Iterator[Prediction]]]:
    """Context with a function that takes the embeddings out of parts of files; its end makes an NPZ file of them.

    The file has "embeddings" (windows, size) float32, "probabilities" (windows, classes) float32, "start_s" (windows,)
    float64, "file" (windows,) int32, an index into "files" (files,), and "labels" (classes,). Windows of a file that
    cannot be read to its end are left out.

    Args:
        path: The NPZ file; an existing one is replaced.
        labels: Names of the classes.

    Raises:
        UserError: The file cannot be written.
    """
    path, files = _checked(path), []
    with contextlib.ExitStack() as stack:
        kinds = {"embeddings": np.float32, "probabilities": np.float32, "start_s": np.float64, "file": np.int32}
        columns = {name: _Column(stack.enter_context(_temporary(path)), kind) for name, kind in kinds.items()}

        def add(part):
            file = np.full(len(part.start_s), len(files))
            for column, rows in zip(columns.values(), (part.embeddings, *part[2:0:-1], file), strict=True):
                column.add(rows)

        def taken(parts):
            for part in parts:
                if len(part.start_s):
                    _written(path, lambda part=part: add(part))
                if part.ended:
                    for column in columns.values():
                        column.end_file(keep=not part.error)
                    files.extend([] if part.error else [part.file])
                yield part._replace(embeddings=None)

        yield taken
        names = {"files": np.array(files, str), "labels": np.array(labels, str)}
        _written(path, lambda: atomic.write(path, lambda file: _write_npz(file, columns, names)))


class _Column:
    """Rows of an array in a temporary file."""

    def __init__(self, content: BinaryIO, kind: type):
        self.content, self.kind, self.shape, self._kept = content, kind, (), 0
        self.rows = 0

    def add(self, rows):
        self.shape, self.rows = rows.shape[1:], self.rows + len(rows)
        self.content.write(np.ascontiguousarray(rows, self.kind).tobytes())

    def end_file(self, *, keep):
        if not keep:
            self.rows = self._kept
            self.content.seek(self._kept * np.dtype(self.kind).itemsize * int(np.prod(self.shape)))
            self.content.truncate()
        self._kept = self.rows


def _write_npz(path, columns, names):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, column in columns.items():
            shape, kind = (column.rows, *column.shape), np.lib.format.dtype_to_descr(np.dtype(column.kind))
            with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
                header = {"descr": kind, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(out, header)
                column.content.seek(0)
                shutil.copyfileobj(column.content, out)
        for name, values in names.items():
            with archive.open(f"{name}.npy", "w") as out:
                np.lib.format.write_array(out, values, allow_pickle=False)


def _copy(content, file):
    content.seek(0)
    with open(file, "wb") as out:
        shutil.copyfileobj(content, out)


def _checked(path):
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file in it.")
    if path.exists() and not path.is_file():  # such as /dev/stdout, which would be replaced by a file
        raise UserError(f"{path}: is no regular file; name another.")
    if not path.parent.is_dir():
        raise UserError(f"{path}: cannot be written, there is no folder {path.parent}.")
    return path


@contextlib.contextmanager
def _temporary(path):
    """A file without a name in the folder of another."""
    content = _written(path, functools.partial(tempfile.TemporaryFile, dir=path.parent))
    try:
        yield content
    finally:
        with contextlib.suppress(OSError):  # on a full disk, which was noticed when it was written
            content.close()


def _written(path, write):
    """Result of a function that writes.  Raises UserError where that fails."""
    try:
        return write()
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}).") from error
