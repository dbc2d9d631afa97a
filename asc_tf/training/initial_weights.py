"""Initial weights from another run, where a recipe has [init].

The head is what depends on the number of classes: every layer whose weights change their shapes with it, such as a
convolution with its batch norm, or a dense layer.  All other layers must be the same in both networks, unless
init.partial leaves out those that are not.
"""

from collections.abc import Sequence

import keras

from asc_tf import build
from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder
from asc_tf.training.network_cache import NetworkCache

SHOWN = 3  # of the layers or classes that do not fit, in the error
CLASSES = 10  # with which networks are compared: their heads alone depend on it


def check(recipe: Recipe, before: Recipe, networks: NetworkCache) -> None:
    """Checks, before any training, that the network of [init] fits.

    Args:
        recipe: A recipe with [init].
        before: The recipe of the run that training starts from.
        networks: The networks built so far.

    Raises:
        UserError: Its layers differ; with init.partial, none but those of the head are the same.
    """
    ours, theirs = (build.weight_shapes(networks.network(one, CLASSES)) for one in (recipe, before))
    wrong = [
        f"{name} ({ours.get(name, 'absent')} here, {theirs.get(name, 'absent')} there)"
        for name in {**ours, **theirs}
        if ours.get(name) != theirs.get(name)
    ]
    if recipe.init.partial:
        if not _shared(ours, theirs, build.head_layers(recipe, networks.network(recipe, CLASSES))):
            raise UserError(
                f"{recipe.file}: init.partial = true, but no layer of {before.file} has a name and shapes of this "
                "[model]: nothing would be copied."
            )
    elif wrong:
        shown = ", ".join(wrong[:SHOWN]) + (", ..." if len(wrong) > SHOWN else "")
        raise UserError(
            f"{recipe.file}: init: {len(wrong)} layers are not the same as in {before.file}: {shown}. [model] and the "
            "channels of [feature] must be the same in both; with partial = true such layers are left out."
        )


def check_head(recipe: Recipe, classes: Sequence[str], before: Sequence[str], run: RunFolder | None = None) -> None:
    """Checks that the head can be copied.

    Args:
        recipe: A recipe with [init] whose keep_head is set.
        classes: Names of its classes.
        before: Names of the classes of the run that training starts from.
        run: That run, where it exists already.

    Raises:
        UserError: The classes differ, or the head is not trained.
    """
    if run and run.has(layout.UNTRAINED):
        raise UserError(f"{recipe.file}: init.keep_head = true, but the head of {run.path} is not trained.")
    if reason := difference(classes, before):
        raise UserError(
            f"{recipe.file}: init.keep_head = true, but the classes differ: {reason}. Write keep_head = false."
        )


def difference(classes: Sequence[str], others: Sequence[str]) -> str:
    """How two lists of classes differ, in words; "" where they do not."""
    if tuple(classes) == tuple(others):
        return ""
    different = sorted(set(classes) ^ set(others))
    return f"only one side has {', '.join(different[:SHOWN])}" if different else "they are in another order"


def copy_weights(network: keras.Model, recipe: Recipe, initial: TrainedRun) -> None:
    """Copies the best weights of a run into a recipe's network, all but the head's; prints what was copied.

    With init.partial, those of the layers that both have with the same shapes.

    Args:
        network: The network, changed in place.
        recipe: Its recipe.
        initial: The run.
    """
    head = [] if recipe.init.keep_head else build.head_layers(recipe, network)
    ours, theirs = build.weight_shapes(network), build.weight_shapes(initial.network)
    copied = _shared(ours, theirs, head)
    for name in copied:
        network.get_layer(name).set_weights(initial.network.get_layer(name).get_weights())
    new = ", ".join(name for name in ours if name not in copied) or "none"
    left = f", left out: {len(theirs) - len(copied)}" if recipe.init.partial else ""
    print(f"starts from {initial.path.name}: {len(copied)} layers copied, new: {new}{left}", flush=True)


def _shared(ours, theirs, head):
    """Names of the layers outside a head that have the same shapes in both networks."""
    return [name for name, shape in ours.items() if theirs.get(name) == shape and name not in head]
