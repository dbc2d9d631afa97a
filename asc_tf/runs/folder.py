"""What does a run leave behind, and how is it written so that a crash loses nothing?

    recipe.toml            resolved recipe; evaluate, predict and export read this copy
    labels.txt             classes in the order of the network's outputs
    normalisation.npz      mean and std of every band, where the recipe has them measured
    log.csv, tensorboard/  one row an epoch
    state.npz              everything needed to resume: weights, optimizer, epoch, log
    weights/               best.weights.h5 (by validation), last.weights.h5
    import.txt             where the keys of a checkpoint went, in a run that was imported instead of trained
    quantise/              the same for quantisation-aware training; recipe.toml where another recipe quantised the run
    teacher_outputs/       what this run says of clips to its students (distillation/teachers.py)
    ensemble.json          how its own teachers weigh, where the recipe has that fitted
    export/                model.tflite and model.json that tells how to use it, calibration.csv, parity.json and .txt
    metrics.json           written last: a run that has it is finished
Every file is written under a temporary name and then renamed.
"""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np

from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipes

PART = ".part-"  # how the name of a file begins while it is being written


class RunFolder:
    """The folder of one run of one recipe."""

    def __init__(self, path, recipe):
        self.path, self.recipe = Path(path), recipe

    @property
    def finished(self):
        return (self.path / "metrics.json").is_file()

    @property
    def labels(self):
        return tuple(self.read_text("labels.txt").splitlines())

    def has(self, name):
        return (self.path / name).is_file()

    def file(self, name):
        """The path of a file in the run, its folder made."""
        file = self.path / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); choose another --out.") from error
        return file

    def read_text(self, name):
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{self.path / name}: is missing; train the run to its end first.") from error

    def write(self, name, content):
        """Writes text, bytes or what a callable writes to the path it is given; whole or not at all."""
        file = self.file(name)
        temporary = file.with_name(f"{PART}{os.getpid()}-{file.name}")
        try:
            if callable(content):
                content(temporary)
            else:
                temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            os.replace(temporary, file)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise UserError(f"{file}: cannot be written ({error.strerror or error}).") from error

    def write_json(self, name, value):
        self.write(name, json.dumps(value, indent=2) + "\n")

    def read_json(self, name):
        return json.loads(self.read_text(name))

    def write_rows(self, name, rows):
        """A CSV file of dicts with the same keys."""
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write(name, text.getvalue())

    def write_arrays(self, name, arrays):
        def save(path):
            with open(path, "wb") as file:
                np.savez(file, **arrays)

        self.write(name, save)

    def read_arrays(self, name):
        with np.load(self.path / name, allow_pickle=False) as arrays:
            return dict(arrays)


def create(path, recipe, *, resume):
    """The folder for a recipe, new or gone on with; UserError where it belongs to something else.

    A run that stopped before its first epoch ended holds nothing to lose and is begun anew.
    """
    run = RunFolder(path, recipe)
    if run.has("import.txt"):
        raise UserError(f"{path}: holds imported weights, which training would replace; choose another --out.")
    before = run.has("recipe.toml")
    for leftover in run.path.rglob(f"{PART}*"):
        leftover.unlink(missing_ok=True)
    if before and run.has("state.npz"):
        _check_same(run, load(path).recipe)
        if run.finished:
            raise UserError(f"{path}: this run is finished. Look at metrics.json, or choose another --out.")
        if not resume:
            raise UserError(
                f"{path}: holds an unfinished run of this recipe. Add --resume to go on, or choose another --out."
            )
        return run
    if not before and run.path.is_dir() and any(run.path.iterdir()):
        raise UserError(f"{path}: is not empty and not a run folder; choose another --out.")
    run.write("recipe.toml", recipes.to_toml(recipe))
    return run


def begun_by_another(path, recipe):
    """The folder that another process has created for the recipe.  UserError where it is not seen."""
    run = RunFolder(path, recipe)
    if not run.has("recipe.toml"):
        raise UserError(f"{path}: is not here; --out must lie on a disk that all workers share.")
    _check_same(run, load(path).recipe)
    return run


def load(path):
    """An existing run folder.  UserError where there is none."""
    run = RunFolder(path, None)
    if not run.has("recipe.toml"):
        raise UserError(f"{path}: is not a run folder (it has no recipe.toml).")
    run.recipe = recipes.load(run.path / "recipe.toml")
    return run


def copy(run, path):
    """A new folder with the weights of a run, and what belongs to them; UserError where it holds something."""
    if Path(path).exists() and (not Path(path).is_dir() or any(Path(path).iterdir())):
        raise UserError(f"{path}: exists already; choose another --out.")
    new = RunFolder(path, run.recipe)
    for name in ("recipe.toml", "labels.txt", "import.txt", "normalisation.npz", "weights/best.weights.h5"):
        if run.has(name):
            new.write(name, (run.path / name).read_bytes())
    return new


def _check_same(run, there):
    different = recipes.differences(run.recipe, there)
    if different:
        raise UserError(
            f"{run.path}: is the run of another recipe. Different (this recipe, that run): {'; '.join(different[:3])}. "
            "Choose another --out."
        )
