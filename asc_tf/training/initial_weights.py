"""Which weights does a run start from, where its recipe's [start] names another recipe or a run?

The head is what depends on the number of classes: every layer whose weights change their shapes with it, such as a
convolution with its batch norm, or a dense layer.  All other layers must be the same in both networks.
"""

import dataclasses
from pathlib import Path

from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipes
from asc_tf.runs import folder as run_folder
from asc_tf.runs import reuse

SHOWN = 3  # of the layers or classes that do not fit, in the error


def check(recipe):
    """The Recipe of the run that a recipe starts from.  Raises UserError, before any training, if it cannot."""
    from asc_tf import build

    before = _imported(recipe).recipe if recipe.start.run else recipes.named(recipe, recipe.start.recipe)
    own, theirs = (_shapes(build.network(one, classes=10)) for one in (recipe, before))
    wrong = [
        f"{name} ({own.get(name, 'absent')} here, {theirs.get(name, 'absent')} there)"
        for name in {**own, **theirs}
        if own.get(name) != theirs.get(name)
    ]
    if wrong:
        shown = ", ".join(wrong[:SHOWN]) + (", ..." if len(wrong) > SHOWN else "")
        raise UserError(
            f"{recipe.file}: start: {len(wrong)} layers are not the same as in {before.file}: {shown}. [model] and the "
            "channels of [feature] must be the same in both."
        )
    return dataclasses.replace(before, start=None) if recipe.start.run else before  # a run has started long ago


def former(run, data, train):
    """The finished RunFolder that a run starts from, trained by `train` (as train.train) if it is not there yet.

    It is trained on its own dataset with the seed of this run, in a folder beside this run's.  None without [start],
    and for a run that goes on from its own state.  data: the run's dataset.Data.
    Raises UserError where the head is kept but the classes differ.
    """
    from asc_tf import dataset

    recipe = run.recipe
    if not recipe.start or run.has("state.npz"):
        return None
    found = _imported(recipe) if recipe.start.run else None
    before = found.recipe if found else recipes.named(recipe, recipe.start.recipe)
    if recipe.start.keep_head:
        _check_classes(recipe, data.classes, found.labels if found else dataset.classes(before))
    own_seed = dataclasses.replace(before, seed=recipe.seed)
    return found or reuse.run(run.path.parent, own_seed, train, title="start")


def take_over(network, recipe, former):
    """Gives a recipe's network the best weights of a former run, all but the head's; tells what stays new."""
    from asc_tf import build
    from asc_tf.training import callbacks as epochs

    shapes, classes = _shapes(network), network.output_shape[-1]
    one_more = _shapes(build.network(recipe, classes + 1))
    new = [] if recipe.start.keep_head else [name for name in shapes if shapes[name] != one_more[name]]
    taken = [name for name in shapes if name not in new]
    before = epochs.load_best(former, build.network(former.recipe, len(former.labels)))
    for name in taken:
        network.get_layer(name).set_weights(before.get_layer(name).get_weights())
    print(f"starts from {former.path.name}: {len(taken)} layers taken, new: {', '.join(new) or 'none'}", flush=True)


def _imported(recipe):
    """The run folder of start.run, which training or an import has completed."""
    run = run_folder.load(Path(recipe.start.run).expanduser())
    if not (run.finished or run.has("import.txt")):
        raise UserError(f"{recipe.file}: start.run = '{recipe.start.run}' is not finished; train it to its end first.")
    return run


def _shapes(network):
    """{layer: the shapes of its weights, as text} of the layers that have any."""
    return {
        layer.name: " and ".join(" x ".join(map(str, weight.shape)) for weight in layer.weights)
        for layer in network.layers
        if layer.weights
    }


def _check_classes(recipe, own, theirs):
    if tuple(own) == tuple(theirs):
        return
    odd = sorted(set(own) ^ set(theirs))
    told = f"only one side has {', '.join(odd[:SHOWN])}" if odd else "they are in another order"
    raise UserError(f"{recipe.file}: start.keep_head = true, but the classes differ: {told}. Write keep_head = false.")
