"""Dry run: builds and traces every part of a recipe without data, so that a wrong value is found in seconds."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from asc_tf import build, dataset
from asc_tf.distillation import embedding, hierarchy
from asc_tf.distillation.student import Student
from asc_tf.errors import UserError
from asc_tf.recipe.schema import Recipe
from asc_tf.training.network_cache import NetworkCache

BATCH = 4


def check(recipe: Recipe, teachers: Sequence[Recipe] = (), networks: NetworkCache | None = None) -> list[int]:
    """Checks that the parts of a recipe fit together.

    Args:
        recipe: The recipe.
        teachers: Recipes of recipe.teacher, on the recipe's data; each has been checked before. Those of runs that it
            names have the runs' classes as labels.
        networks: The networks built so far.

    Returns:
        Size of the embedding of every teacher run that has one, in order.

    Raises:
        UserError: A value is wrong, or parts do not fit together.
    """
    _check_multi_label(recipe)
    try:
        classes = classes_without_data(recipe)
        networks = networks or NetworkCache()
        sizes = _embedding_sizes(recipe, teachers, len(classes), networks)
        _trace(recipe, classes, sizes, networks.network(recipe, len(classes)))
    except UserError as error:
        raise UserError(f"{recipe.file}: {error}") from error
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{recipe.file}: the parts do not fit together: {reason} (add --traceback to see where)."
        ) from error
    return sizes


def classes_without_data(recipe: Recipe) -> tuple[str, ...]:
    """The dataset's classes where they are known without its files; else names that serve for tracing."""
    known = dataset.known_classes(recipe)
    if known or not recipe.hierarchy:
        return known or tuple(f"class {index}" for index in range(10))
    groups = hierarchy.members(recipe.hierarchy.groups).values()
    return tuple(dict.fromkeys(name for group in groups for name in group))


def _trace(recipe, classes, embedding_sizes, network):
    """Traces a batch from waves to loss; nothing is computed."""
    student = build.student(recipe, classes, network=network, embedding_sizes=embedding_sizes)
    teachers = _teacher_spec(recipe, embedding_sizes, len(classes))
    online = bool(recipe.distill and recipe.distill.online)
    spec = {
        "wave": tf.TensorSpec((BATCH, dataset.segment_samples(recipe)), tf.float32),
        "label": tf.TensorSpec((BATCH, len(classes)), tf.float32),
        "device": tf.TensorSpec((BATCH,), tf.string),
    }
    spec = _traced(build.augmenter(recipe, "wave"), spec | ({} if online else teachers))
    spec["mel"] = tf.TensorSpec((BATCH, *build.input_shape(recipe)), tf.float32)
    spec = _traced(build.augmenter(recipe, "mel"), spec)
    _trace_loss(student, build.targets(spec | (teachers if online else {})))


def _teacher_spec(recipe, embedding_sizes, classes):
    """Spec of the teachers' outputs for a batch."""
    spec = {"teacher": tf.TensorSpec((BATCH, classes), tf.float32)} if recipe.uses_logits else {}
    return spec | ({"embedding": tf.TensorSpec((BATCH, sum(embedding_sizes)), tf.float32)} if embedding_sizes else {})


def _embedding_sizes(recipe, teachers, classes, networks):
    """Size of every teacher run's embedding.  Raises UserError where a teacher does not fit the student."""
    sizes = []
    for teacher, entry in zip(teachers, recipe.teacher, strict=False):
        name = entry.recipe or entry.run
        if recipe.distill.online and teacher.feature != recipe.feature:
            raise UserError(
                f"distill.online: {name} has another [feature]; give it the student's, or set online = false."
            )
        if entry.layer:
            outputs = len(teacher.labels) if entry.run else classes
            output = embedding.output(networks.network(teacher, outputs), entry.layer, f"teacher.{name}.layer")
            sizes += entry.runs * [output.shape[-1]]
    return sizes


def _check_multi_label(recipe):
    multi_label = dataset.multi_label(recipe)
    if recipe.uses_logits and multi_label != (recipe.distill.form == "binary"):
        classes, fix = ("several classes", "write") if multi_label else ("one class", "leave out")
        raise UserError(
            f"{recipe.file}: distill.form = '{recipe.distill.form}', and dataset '{recipe.dataset.name}' has {classes} "
            f'a clip: {fix} form = "binary".'
        )
    if recipe.uses_logits and multi_label and recipe.distill.ensemble == "weighted":
        raise UserError(
            f'{recipe.file}: distill.ensemble = "weighted" is fitted to one class a clip, and dataset '
            f"'{recipe.dataset.name}' is multi-label: write another ensemble."
        )
    for section in ("hierarchy", "quantise"):
        if multi_label and getattr(recipe, section):
            raise UserError(
                f"{recipe.file}: [{section}] is for datasets of one class a clip, and dataset '{recipe.dataset.name}' "
                f"is multi-label. Leave [{section}] out here; another recipe can have it and [init] from this one."
            )


def _traced(augment: Callable, spec: Mapping[str, tf.TensorSpec]) -> dict[str, tf.TensorSpec]:
    """Spec of an augmented batch; nothing is computed."""
    seed = tf.TensorSpec((2,), tf.int32)
    return dict(tf.function(augment, autograph=False).get_concrete_function(spec, seed).structured_outputs)


def _trace_loss(student: Student, targets: Mapping[str, tf.TensorSpec]) -> None:
    """Traces the terms of the loss; nothing is computed."""
    outputs = {key: tf.TensorSpec((BATCH, *x.shape[1:]), x.dtype) for key, x in student.heads.output.items()}
    epoch = tf.TensorSpec((), tf.float32)
    tf.function(student.terms, autograph=False).get_concrete_function(outputs, targets, epoch)
