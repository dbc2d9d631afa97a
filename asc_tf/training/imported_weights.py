"""`python -m asc_tf.import_weights CHECKPOINT --recipe RECIPE --out RUN`: a PyTorch checkpoint becomes a run.

Reads .pt, .pth, .ckpt and .safetensors without PyTorch and without running anything from the file, fits every
tensor to the recipe's network and writes a run folder that evaluate, predict and complexity take like any
other.  Tells of every key where it went, and why if nowhere; import.txt in the run keeps that.  A checkpoint
of another network is refused and nothing is written.
"""

import argparse
import functools
import os
import shutil
import sys
from pathlib import Path

from asc_tf import command_line
from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipes
from asc_tf.runs import folder as run_folder

SHOWN = 3  # of the keys that do not fit, in the error


def import_weights(checkpoint, recipe, out, *, labels=()):
    """The RunFolder `out`, made of a checkpoint and a Recipe; its report on the console.

    labels: the classes in the order of the network's outputs, where not those of the recipe's dataset.
    Raises UserError where the file cannot be read, does not fit the network, or `out` holds something.
    """
    from asc_tf import build, dataset
    from asc_tf.checkpoints import files, state_dict, to_keras

    _check(recipe, out, labels)
    tensors, ignored = state_dict.found(files.load(checkpoint), checkpoint)
    labels = labels or dataset.classes(recipe)
    network = build.network(recipe, len(labels))
    match = to_keras.match(network, {key: tensor.shape for key, tensor in tensors.items()}, _torch_name(recipe))
    report = _report(checkpoint, match, ignored)
    print(report)
    if not match.fits:
        raise UserError(f"{checkpoint}: is not of the recipe's network, {recipe.model.name}: {_misfit(match)}.")
    with files.refusing(checkpoint):
        for layer, weight, key in match.pairs:
            weight.assign(to_keras.turned(layer, weight, _finite(key, tensors[key].values())))
    return _written(out, recipe, {"labels.txt": "\n".join(labels) + "\n", "import.txt": report + "\n"}, network)


def _torch_name(recipe):
    """A function from a layer's name to the original's; the name itself where the model's file has none."""
    from asc_tf.recipe import registry

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
    import numpy as np

    if not np.isfinite(values).all():
        raise ValueError(f"'{key}' holds numbers that are NaN, infinite or beyond float32")
    return values


def _written(out, recipe, texts, network):
    """The run folder, whole or not at all."""
    out = Path(os.path.abspath(out))
    run = run_folder.RunFolder(out.with_name(f"{run_folder.PART}{os.getpid()}-{out.name}"), recipe)
    try:
        run.write("recipe.toml", recipes.to_toml(recipe))
        for name, text in texts.items():
            run.write(name, text)
        run.write("weights/best.weights.h5", network.save_weights)
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
    lines += [f"kept     {name}: not in checkpoints, as the recipe sets it" for name in match.kept]
    lines += [f"missing  {pair.key} for {pair.name}" for pair in match.missing]
    lines += [f"wrong    {pair.key} is {there}, {pair.name} needs {needed}" for pair, needed, there in match.wrong]
    return "\n".join(lines + [f"unknown  {key}" for key in match.extra])


def _counts(match, ignored):
    counts = {"mapped": match.pairs, "ignored": ignored, "missing": match.missing, "of another shape": match.wrong}
    return ", ".join(f"{len(keys)} {word}" for word, keys in (counts | {"unknown": match.extra}).items())


def _misfit(match):
    groups = {
        "missing": [pair.key for pair in match.missing],
        "of another shape": [f"{pair.key} {there} instead of {needed}" for pair, needed, there in match.wrong],
        "unknown": match.extra,
    }
    return "; ".join(
        f"{len(keys)} {word}: {', '.join(keys[:SHOWN])}{', ...' if len(keys) > SHOWN else ''}"
        for word, keys in groups.items()
        if keys
    )
