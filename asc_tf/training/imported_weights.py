"""Conversion of a PyTorch checkpoint to a run, without PyTorch and without running anything from the file."""

import functools
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from asc_tf import build, dataset
from asc_tf.checkpoints import files, state_dict, to_keras
from asc_tf.errors import UserError
from asc_tf.recipe import registry, resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import atomic, layout
from asc_tf.runs import folder as run_folder
from asc_tf.runs.folder import RunFolder

MAX_KEYS_IN_ERROR = 3


def import_weights(checkpoint: str | Path, recipe: Recipe, out: str | Path, *, labels: Sequence[str] = ()) -> RunFolder:
    """Writes a run with the weights of a checkpoint; prints what became of every key.

    Args:
        checkpoint: A .pt, .pth, .ckpt or .safetensors file.
        recipe: Recipe of the network.
        out: The run folder to write.
        labels: Names of the classes in the order of the network's outputs; by default those of the recipe's dataset.

    Returns:
        The run folder.

    Raises:
        UserError: The file cannot be read or does not fit the network, or `out` exists. Nothing is written then.
    """
    _check(recipe, out, labels)
    tensors, ignored = state_dict.weights(files.load(checkpoint), checkpoint)
    labels = labels or dataset.classes(recipe)
    network = build.network(recipe, len(labels))
    match = to_keras.match(network, {key: tensor.shape for key, tensor in tensors.items()}, _torch_name(recipe))
    report = _report(checkpoint, match, ignored)
    print(report)
    if not match.fits:
        raise UserError(f"{checkpoint}: is not of the recipe's network, {recipe.model.name}: {_misfit(match)}.")
    for layer, weight, key in match.pairs:
        with files.as_user_error(checkpoint):
            values = _finite(key, tensors[key].values())
        weight.assign(to_keras.to_keras_order(layer, weight, values))
    texts = {layout.LABELS: "\n".join(labels) + "\n", layout.IMPORT_REPORT: report + "\n"}
    return _write_run(out, recipe, texts, network)


def _torch_name(recipe: Recipe) -> Callable[[str], str]:
    """A function from a layer's name to the original's; the name itself where the model's file has none."""
    model = registry.module("model", recipe.model.name)
    return functools.partial(model.torch_name, **recipe.model.settings) if hasattr(model, "torch_name") else str


def _check(recipe, out, labels):
    if len(set(labels)) < len(labels) or any(label.split() != [label] for label in labels):
        raise UserError(f"--labels {','.join(labels)}: write every class once, without spaces.")
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


def _write_run(out: str | Path, recipe: Recipe, texts: dict[str, str], network: keras.Model) -> RunFolder:
    """Writes the run folder, whole or not at all."""
    out = Path(os.path.abspath(out))
    run = RunFolder(out.with_name(f"{atomic.PART}{os.getpid()}-{out.name}"), recipe)
    try:
        run.write(layout.RECIPE, resolve.to_toml(recipe))
        for name, text in texts.items():
            run.write(name, text)
        run.write(layout.BEST_WEIGHTS, network.save_weights)
        os.replace(run.path, out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); choose another --out.") from error
    finally:
        shutil.rmtree(run.path, ignore_errors=True)
    return run_folder.load(out)


def _report(checkpoint, match, ignored):
    lines = [f"{Path(checkpoint).name}: {_counts(match, ignored)}"]
    lines += [f"mapped   {pair.key} -> {pair.name}" for pair in match.pairs]
    lines += [f"ignored  {key}: {reason}" for key, reason in ignored.items()]
    lines += [f"kept     {name}: not in checkpoints, as the recipe sets it" for name in match.untrained]
    lines += [f"missing  {pair.key} for {pair.name}" for pair in match.missing]
    lines += [f"wrong    {pair.key} is {actual}, {pair.name} needs {needed}" for pair, needed, actual in match.wrong]
    return "\n".join(lines + [f"unknown  {key}" for key in match.extra])


def _counts(match, ignored):
    counts = {"mapped": match.pairs, "ignored": ignored, "missing": match.missing, "of another shape": match.wrong}
    return ", ".join(f"{len(keys)} {word}" for word, keys in (counts | {"unknown": match.extra}).items())


def _misfit(match):
    groups = {
        "missing": [pair.key for pair in match.missing],
        "of another shape": [f"{pair.key} {actual} instead of {needed}" for pair, needed, actual in match.wrong],
        "unknown": match.extra,
    }
    return "; ".join(
        f"{len(keys)} {word}: {', '.join(keys[:MAX_KEYS_IN_ERROR])}{', ...' if len(keys) > MAX_KEYS_IN_ERROR else ''}"
        for word, keys in groups.items()
        if keys
    )
