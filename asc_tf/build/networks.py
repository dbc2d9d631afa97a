"""Networks of recipes and runs: untrained, with best weights, and in a Student."""

import contextlib
import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from asc_tf import dataset, keras_settings
from asc_tf.build import _compat, size_limit
from asc_tf.build.inputs import input_shape
from asc_tf.distillation.student import Student
from asc_tf.errors import UserError
from asc_tf.recipe import registry
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import digests, files, layout
from asc_tf.runs.folder import RunFolder


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Context in which initial weights and seed generators of Keras layers follow from a seed.

    Keras draws the seeds of both from Python's random state, which is restored at the end.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Context in which Keras layers are made with a dtype policy; the one before is restored at the end.

    Args:
        policy: "float32", "mixed_float16" or "mixed_bfloat16".
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def network(recipe: Recipe, classes: int, *, foldable: bool = False) -> keras.Model:
    """The recipe's network with initial weights of the recipe's seed.

    Args:
        recipe: The recipe.
        classes: Number of classes.
        foldable: Whether to build the form whose batch norms fold into convolutions, for quantisation; weights
            and outputs are the same. Models without such a form ignore it.
    """
    with seeded(recipe.seed):
        return _network(recipe, classes, foldable)


def checked_network(recipe: Recipe, classes: int) -> keras.Model:
    """The recipe's network; its data and augmentations may be absent.

    Raises:
        UserError: The settings of the model do not fit together.
    """
    try:
        return network(recipe, classes)
    except UserError as error:
        raise UserError(f"{recipe.file}: {error}") from error
    except (ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{recipe.file}: the network cannot be built: {reason} (add --traceback to see where)."
        ) from error


def load_network(run: RunFolder, *, foldable: bool = False) -> keras.Model:
    """The network of a run with its best weights.

    Args:
        run: A trained or imported run.
        foldable: As for `network`.

    Raises:
        UserError: The run has no weights yet, or they are damaged or not those that its training ended with.
    """
    digests.check(run)
    content = run.read(layout.BEST_WEIGHTS)
    model = network(run.recipe, len(run.labels), foldable=foldable)
    try:
        _compat.set_weights(model, content)
        if not all(np.isfinite(weights).all() for weights in model.get_weights()):
            raise ValueError("some are not finite")
    except (*files.DAMAGE, OSError) as error:
        raise UserError(
            f"{run.path / layout.BEST_WEIGHTS}: does not hold the weights of the run's network "
            f"({' '.join(str(error).split())[:200]}). {files.of(layout.BEST_WEIGHTS).fix}"
        ) from error
    return model


def save_weights(run: RunFolder, model: keras.Model, *names: str) -> None:
    """Writes the weights of a network to files of a run, each whole or not at all.

    Args:
        run: The run.
        model: The network.
        names: layout.BEST_WEIGHTS, layout.LAST_WEIGHTS or both.

    Raises:
        UserError: A file cannot be written.
    """
    content = _compat.weights_bytes(model)
    for name in names:
        run.write(name, content)


def head_layers(recipe: Recipe, model: keras.Model) -> list[str]:
    """Names of the layers whose weights change their shapes with the number of classes, in order.

    Such as a last convolution with its batch norm, or a dense layer.

    Args:
        recipe: The recipe.
        model: Its network, for any number of classes.
    """
    shapes, others = weight_shapes(model), weight_shapes(network(recipe, model.output_shape[-1] + 1))
    return [name for name in shapes if shapes[name] != others[name]]


def weight_shapes(network: keras.Model) -> dict[str, str]:
    """Shapes of the weights of every layer that has any, as text, by the layer's name."""
    return {
        layer.name: " and ".join(" x ".join(map(str, weight.shape)) for weight in layer.weights)
        for layer in network.layers
        if layer.weights
    }


def student(recipe: Recipe, classes: Sequence[str], *, network: keras.Model | None = None, **settings: Any) -> Student:
    """The recipe's untrained network in a Student.

    Args:
        recipe: The recipe.
        classes: Names of the classes.
        network: The network, where it is built already.
        **settings: Arguments of the Student that are not in the recipe.
    """
    with seeded(recipe.seed), precision(recipe.train.precision):
        return Student(
            network or _network(recipe, len(classes)),
            distill=recipe.distill,
            hierarchy=recipe.hierarchy,
            classes=classes,
            multi_label=dataset.multi_label(recipe),
            **settings,
        )


def forward(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from spectrograms to float32 outputs in inference mode, traced once for all batch sizes."""
    shape = (None, *network.input_shape[1:])
    signature = [tf.TensorSpec(shape, tf.float32)]

    def outputs(x):
        return keras.tree.map_structure(lambda y: tf.cast(y, tf.float32), network(x, training=False))

    return tf.function(outputs, input_signature=signature)


def _network(recipe, classes, foldable=False):
    build = registry.entry("model", recipe.model.name)
    form = {"foldable": foldable} if "foldable" in inspect.signature(build).parameters else {}
    keras_settings.settle()  # a user's code may have changed them since
    with size_limit.limited_size():
        return build(input_shape(recipe), classes, **form, **recipe.model.settings)
