"""Conversion of a file of weights to a run, without PyTorch and without running anything from the file."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asc_tf import build
from asc_tf.checkpoints import files, state_dict
from asc_tf.errors import UserError
from asc_tf.importing import class_names, fitting, guessing, report
from asc_tf.importing.fitting import Fit
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import atomic, digests, layout
from asc_tf.runs import folder as run_folder
from asc_tf.runs.folder import RunFolder


def import_weights(
    checkpoint: str | Path,
    recipe: Recipe,
    out: str | Path,
    *,
    labels: Sequence[str] = (),
    prefix: str | None = None,
    guess: bool = False,
    new_head: bool = False,
) -> RunFolder:
    """Writes a run with the weights of a file; prints a summary, and stores what became of every tensor.

    Args:
        checkpoint: A file of PyTorch, safetensors, Keras or NumPy, see checkpoints/files.py.
        recipe: Recipe of the network. Its dataset is not read, unless the classes are defined there alone.
        out: The run folder to write.
        labels: Names of the classes in the order of the network's outputs; by default those of the recipe.
        prefix: Start of the keys of the network, where the file holds several that fit.
        guess: Whether the recipe's [model] is replaced by what the shapes show, where it does not fit. The recipe is
            written to `out` with the ending .toml.
        new_head: Whether the head, the layers whose weights depend on the number of classes, keeps its initial weights.
            The run gives embeddings, and is what training starts from ([init] run); it predicts nothing.

    Returns:
        The run folder.

    Raises:
        UserError: The file cannot be read or does not fit the network, or `out` exists. Nothing is written then.
    """
    _check(recipe, out, labels)
    tensors = state_dict.tensors(files.load(checkpoint), checkpoint)
    if guess:
        recipe = guessing.recipe_that_fits(checkpoint, tensors, recipe, prefix)
    names = class_names.named(recipe, labels) if new_head else ()
    fit = fitting.fit(checkpoint, tensors, recipe, prefix, new_head=len(names))
    names, source = class_names.resolve(checkpoint, recipe, labels, fit.classes)
    for target, keys in fit.match.keys:
        with files.as_user_error(checkpoint):
            target.weight.assign(target.convert([_finite(key, tensors[key].values()) for key in keys]))
    print(report.summary(checkpoint, recipe, fit, tensors, names, source), flush=True)
    texts = {
        layout.LABELS: "\n".join(names) + "\n",
        layout.IMPORT_REPORT: report.details(checkpoint, recipe, fit, tensors, names, source) + "\n",
    }
    if fit.head:
        texts[layout.UNTRAINED] = "".join(f"{target.name}\n" for target in fit.head)
    run = _write_run(out, recipe, texts, fit)
    if guess:
        file = Path(f"{run.path}.toml")
        atomic.write(file, resolve.to_toml(recipe))
        print(f"{file}: the recipe with the settings that fit")
    return run


def _check(recipe, out, labels):
    class_names.check(labels)
    if recipe.normalise and recipe.normalise.by == "bands":
        raise UserError(
            f'{recipe.file}: normalise: by = "bands" is measured in training, and a checkpoint does not hold it; '
            'write by = "constants" with the mean and std of its training.'
        )
    if Path(out).exists() and not (Path(out).is_dir() and not any(Path(out).iterdir())):
        raise UserError(f"{out}: exists already; choose another --out.")


def _finite(key, values):
    if not np.isfinite(values).all():
        raise ValueError(f"'{key}' holds numbers that are NaN, infinite or beyond float32")
    return values


def _write_run(out: str | Path, recipe: Recipe, texts: dict[str, str], fit: Fit) -> RunFolder:
    """Writes the run folder, whole or not at all."""
    out = Path(os.path.abspath(out))
    run = RunFolder(out.with_name(f"{atomic.PART}{os.getpid()}-{out.name}"), recipe)
    try:
        run.write(layout.RECIPE, resolve.to_toml(recipe))
        for name, text in texts.items():
            run.write(name, text)
        build.save_weights(run, fit.network, layout.BEST_WEIGHTS)
        digests.write(run)
        os.replace(run.path, out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); choose another --out.") from error
    finally:
        shutil.rmtree(run.path, ignore_errors=True)
    return run_folder.load(out)
