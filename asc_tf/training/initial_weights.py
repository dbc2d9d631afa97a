"""Initial weights from another run, where a recipe has [init].

The head is what depends on the number of classes: every layer whose weights change their shapes with it, such as a
convolution with its batch norm, or a dense layer.  All other layers must be the same in both networks.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from asc_tf import build, dataset
from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun, load_run
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import layout, reuse
from asc_tf.runs.folder import RunFolder
from asc_tf.training.network_cache import NetworkCache

SHOWN = 3  # of the layers or classes that do not fit, in the error
CLASSES = 10  # with which networks are compared: their heads alone depend on it


def check(recipe: Recipe, networks: NetworkCache) -> Recipe:
    """Checks, before any training, that the network of [init] fits.

    Args:
        recipe: A recipe with [init].
        networks: The networks built so far.

    Returns:
        The recipe of the run that training starts from.

    Raises:
        UserError: Its layers differ.
    """
    before = _imported(recipe).recipe if recipe.init.run else resolve.referenced(recipe, recipe.init.recipe)
    ours, theirs = (build.weight_shapes(networks.network(one, CLASSES)) for one in (recipe, before))
    wrong = [
        f"{name} ({ours.get(name, 'absent')} here, {theirs.get(name, 'absent')} there)"
        for name in {**ours, **theirs}
        if ours.get(name) != theirs.get(name)
    ]
    if wrong:
        shown = ", ".join(wrong[:SHOWN]) + (", ..." if len(wrong) > SHOWN else "")
        raise UserError(
            f"{recipe.file}: init: {len(wrong)} layers are not the same as in {before.file}: {shown}. [model] and the "
            "channels of [feature] must be the same in both."
        )
    return dataclasses.replace(before, init=None) if recipe.init.run else before  # what a finished run needed is done


def initial_run(run: RunFolder, classes: Sequence[str], train: Callable[..., RunFolder]) -> TrainedRun | None:
    """The finished run whose weights a run starts from; None without [init], and for a run that is resumed.

    It is trained on its own dataset with the seed of this run, in a folder beside this run's, where it is not yet.

    Args:
        run: The run.
        classes: Names of its classes.
        train: Function (recipe, path, resume=, title=) that trains a run.

    Raises:
        UserError: The head is copied but the classes differ.
    """
    recipe = run.recipe
    if not recipe.init or run.started:
        return None
    imported = _imported(recipe) if recipe.init.run else None
    before = imported.recipe if imported else resolve.referenced(recipe, recipe.init.recipe)
    if recipe.init.keep_head:
        _check_classes(recipe, classes, imported.labels if imported else dataset.classes(before))
    if imported:
        return imported
    seeded = dataclasses.replace(before, seed=recipe.seed)
    return TrainedRun(reuse.reuse_or_train(run.path.parent, seeded, train, title="init"))


def copy_weights(network: keras.Model, recipe: Recipe, initial: TrainedRun) -> None:
    """Copies the best weights of a run into a recipe's network, all but the head's; prints what was copied.

    Args:
        network: The network, changed in place.
        recipe: Its recipe.
        initial: The run.
    """
    head = [] if recipe.init.keep_head else build.head_layers(recipe, network)
    copied = [name for name in build.weight_shapes(network) if name not in head]
    for name in copied:
        network.get_layer(name).set_weights(initial.network.get_layer(name).get_weights())
    print(f"starts from {initial.path.name}: {len(copied)} layers copied, new: {', '.join(head) or 'none'}", flush=True)


def _imported(recipe):
    """The run of init.run, which training or an import has completed."""
    run = load_run(Path(recipe.init.run).expanduser())
    if not (run.folder.finished or run.folder.imported):
        raise UserError(f"{recipe.file}: init.run = '{recipe.init.run}' is not finished; train it to its end first.")
    if recipe.init.keep_head and run.folder.has(layout.UNTRAINED):
        raise UserError(f"{recipe.file}: init.keep_head = true, but the head of {recipe.init.run} is not trained.")
    return run


def _check_classes(recipe, ours, theirs):
    if tuple(ours) == tuple(theirs):
        return
    different = sorted(set(ours) ^ set(theirs))
    reason = f"only one side has {', '.join(different[:SHOWN])}" if different else "they are in another order"
    raise UserError(f"{recipe.file}: init.keep_head = true, but the classes differ: {reason}. Write keep_head = false.")
