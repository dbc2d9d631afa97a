"""The folder of a run: reading and writing its files so that a crash loses nothing.

Every file is written under a temporary name and then renamed. Names of the files are in layout.py.
"""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import atomic, files, layout, replace


class RunFolder:
    """The folder of one run of one recipe.

    Args:
        path: The folder.
        recipe: Its recipe; None for a folder that holds a report only.
    """

    def __init__(self, path: str | Path, recipe: Recipe | None):
        self.path, self.recipe = Path(path), recipe
        self.opened = False  # whether the folder was there already, so that it must not be created anew by a write

    @property
    def started(self) -> bool:
        """Whether training has completed an epoch, so that it can be resumed."""
        return self.has(layout.STATE)

    @property
    def finished(self) -> bool:
        """Whether the run was trained and evaluated to its end."""
        return self.has(layout.METRICS)

    @property
    def imported(self) -> bool:
        """Whether its weights are those of a checkpoint."""
        return self.has(layout.IMPORT_REPORT)

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes in the order of the network's outputs."""
        return self.read(layout.LABELS)

    def has(self, name: str) -> bool:
        """Whether a file exists in the run.

        Raises:
            UserError: Something else has its name.
        """
        file = self.path / name
        if file.is_file():
            return True
        if os.path.lexists(file):
            raise UserError(f"{file}: is no file. Move it away. {files.of(name).fix}")
        return False

    def read_bytes(self, name: str) -> bytes:
        """Bytes of a file in the run.

        Raises:
            UserError: The file does not exist or cannot be read.
        """
        try:
            if self.has(name):
                return (self.path / name).read_bytes()
        except OSError as error:
            raise UserError(
                f"{self.path / name}: cannot be read ({error.strerror}); change its permissions."
            ) from error
        raise UserError(f"{self.path / name}: is missing. {files.of(name).fix}")

    def read(self, name: str) -> Any:
        """Content of a file in the run, as files.py reads files of its kind: text, a JSON tree, or arrays by name.

        Raises:
            UserError: The file does not exist, cannot be read or is damaged.
        """
        content, kind = self.read_bytes(name), files.of(name)
        try:
            return kind.parse(content)
        except files.DAMAGE as error:
            reason = str(error).partition("\n")[0][:100] or type(error).__name__
            raise UserError(f"{self.path / name}: is damaged ({reason}). {kind.fix}") from error

    def check(self, names: Iterable[str]) -> None:
        """Reads files of the run, those that exist, so that a damaged one is found before long work.

        Raises:
            UserError: One of them cannot be read or is damaged.
        """
        for name in filter(self.has, names):
            self.read(name)

    def write(self, name: str, content: str | bytes) -> None:
        """Writes a file, whole or not at all.

        Args:
            name: The file's path in the run; its folder is created.
            content: Text or bytes.

        Raises:
            UserError: The file cannot be written.
        """
        file = self.path / name
        if self.opened and not self.has(layout.RECIPE):
            raise UserError(f"{self.path}: the run's folder, or its recipe.toml, was removed while work went on.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); choose another --out.") from error
        try:
            atomic.write(file, content)
        except OSError as error:
            raise UserError(
                f"{file}: cannot be written ({error.strerror or error}); what it was before is whole. Free some space, "
                "or make it writable."
            ) from error

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file."""
        self.write(name, json.dumps(value, indent=2) + "\n")

    def write_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes a CSV file of rows with the same keys."""
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write(name, text.getvalue())

    def write_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes an NPZ file."""
        self.write(name, files.packed(arrays))

    def remove(self, names: Iterable[str]) -> None:
        """Removes files of the run, those that exist."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)


def create(path: str | Path, recipe: Recipe, *, resume: bool) -> RunFolder:
    """Creates the folder of a recipe's run, or opens that of a run to be resumed.

    A run that stopped before its first epoch ended holds nothing to lose and starts anew.

    Args:
        path: The folder.
        recipe: The run's recipe.
        resume: Whether an unfinished run is resumed; a finished one is opened then.

    Raises:
        UserError: The folder holds another run, a finished or unfinished one where none is resumed, or other files.
    """
    run = RunFolder(path, recipe)
    if run.imported:
        raise UserError(f"{path}: holds imported weights, which training would replace; choose another --out.")
    if run.has(layout.RECIPE):
        before = load(path, systems=True)  # which also ends a replacement that was stopped
        holds = [name for name in (layout.STATE, layout.METRICS, *layout.OF_WEIGHTS) if run.has(name)]
        if holds:
            _check_same(run, before.recipe)
        if run.finished and not resume:
            raise UserError(f"{path}: this run is finished. Look at metrics.json, or choose another --out.")
        if run.started and not resume:
            raise UserError(
                f"{path}: holds an unfinished run of this recipe. Add --resume to go on, or choose another --out."
            )
        atomic.remove_unfinished(run.path)
        if run.started or run.finished:
            run.opened = True
            return run
        run.remove(layout.OF_WEIGHTS)
        shutil.rmtree(run.path / layout.PER_DEVICE, ignore_errors=True)
    elif run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
        raise UserError(f"{path}: is not empty and not a run folder; choose another --out.")
    run.write(layout.RECIPE, resolve.to_toml(recipe))
    run.opened = True
    return run


def open_shared(path: str | Path, recipe: Recipe) -> RunFolder:
    """Opens the folder that another process has created for the same recipe.

    Raises:
        UserError: The folder is not visible here, or is of another recipe.
    """
    run = RunFolder(path, recipe)
    if not run.has(layout.RECIPE):
        raise UserError(f"{path}: is not here; --out must lie on a disk that all workers share.")
    _check_same(run, load(path, systems=True).recipe)
    run.opened = True
    return run


def load(path: str | Path, *, systems: bool = False) -> RunFolder:
    """Opens an existing run folder.

    Args:
        path: The folder.
        systems: Whether it may be that of a system of several networks.

    Raises:
        UserError: There is none, or it is that of a system.
    """
    if not RunFolder(path, None).has(layout.RECIPE):
        raise UserError(f"{path}: is not a run folder (it has no recipe.toml). Name one, or restore its recipe.")
    replace.finish(Path(path))
    run = RunFolder(path, read_recipe(Path(path) / layout.RECIPE))
    run.opened = True
    if run.recipe.member and not systems:
        members = ", ".join(run.read(layout.MEMBERS)) if run.has(layout.MEMBERS) else "not trained yet"
        raise UserError(f"{path}: is a system of several networks; name one of its members, beside it: {members}.")
    return run


def read_recipe(file: Path) -> Recipe:
    """The recipe in a run folder.

    Args:
        file: Its file.

    Raises:
        UserError: It is damaged.
    """
    try:
        return resolve.load(file)
    except UserError as error:
        raise UserError(f"{error} It is a run's own recipe: restore it from a copy.") from error


def copy(run: RunFolder, path: str | Path) -> RunFolder:
    """Copies a run's weights, and the files that belong to them, to a new folder.

    Raises:
        UserError: `path` exists and holds something.
    """
    if Path(path).exists() and (not Path(path).is_dir() or any(Path(path).iterdir())):
        raise UserError(f"{path}: exists already; choose another --out.")
    new = RunFolder(path, run.recipe)
    names = (
        layout.RECIPE,
        layout.LABELS,
        layout.DIGESTS,
        layout.IMPORT_REPORT,
        layout.UNTRAINED,
        layout.NORMALISATION,
        layout.BEST_WEIGHTS,
    )
    for name in filter(run.has, names):
        new.write(name, (run.path / name).read_bytes())
    return new


def _check_same(run, recipe):
    """Raises UserError unless the recipe in the folder is that of the run."""
    different = resolve.differences(run.recipe, recipe)
    if run.finished and len(different) == 1 and different[0].startswith("train.epochs"):
        raise UserError(
            f"{run.path}: this run is finished; its learning rate ended with its last epoch. To train its weights "
            f"further, give another --out and --set 'init={{run=\"{run.path}\",keep_head=true}}'."
        )
    if different:
        raise UserError(
            f"{run.path}: is the run of another recipe. Different (this recipe, that run): {'; '.join(different[:3])}. "
            "Choose another --out."
        )
