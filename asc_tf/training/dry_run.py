"""Do the parts of a recipe fit together?  Found in seconds, without data, before any hour is spent."""

import tensorflow as tf

from asc_tf import build, dataset
from asc_tf.distillation import embedding, hierarchy
from asc_tf.errors import UserError
from asc_tf.recipe import registry


def check(recipe, teachers=()):
    """Builds and traces every part without data, so that a wrong value is found in seconds.

    teachers: the recipes of recipe.teacher, each checked by itself; here only what they are to the recipe.
    """
    _check_multi_label(recipe)
    try:
        _trace(recipe, teachers)
    except UserError as error:
        raise UserError(f"{recipe.file}: {error}") from error
    except ValueError as error:
        raise UserError(f"{recipe.file}: the parts do not fit together: {str(error).splitlines()[0]}") from error


def _trace(recipe, teachers):
    """Traces the way of a batch of 4 from wave to loss."""
    classes = _classes_without_data(recipe)
    sizes = _embedding_sizes(recipe, teachers, len(classes))
    learner = build.student(recipe, classes, embedding_sizes=sizes)
    said = _said(recipe, sizes, len(classes))
    live = bool(recipe.distill and recipe.distill.live)
    spec = {
        "wave": tf.TensorSpec((4, dataset.segment_samples(recipe)), tf.float32),
        "label": tf.TensorSpec((4, len(classes)), tf.float32),
        "device": tf.TensorSpec((4,), tf.string),
    }
    spec = _traced(build.augmenter(recipe, "wave"), spec | ({} if live else said))
    spec["mel"] = tf.TensorSpec((4, *build.input_shape(recipe)), tf.float32)
    spec = _traced(build.augmenter(recipe, "mel"), spec)
    _trace_loss(learner, build.targets(spec | (said if live else {})))


def _said(recipe, embedding_sizes, classes):
    """What a recipe's teachers say of a batch of 4, as a spec."""
    said = {f"embedding {place}": tf.TensorSpec((4, size), tf.float32) for place, size in enumerate(embedding_sizes)}
    return said | ({"teacher": tf.TensorSpec((4, classes), tf.float32)} if recipe.teacher else {})


def _classes_without_data(recipe):
    """The dataset's classes where they are known without its files; else as many as serve to trace with."""
    known = getattr(registry.module("dataset", recipe.dataset.name), "SCENES", ())
    if known or not recipe.hierarchy:
        return tuple(known) or tuple(f"class {number}" for number in range(10))
    return tuple(dict.fromkeys(name for own in hierarchy.members(recipe.hierarchy.groups).values() for name in own))


def _embedding_sizes(recipe, teachers, classes):
    """Of the embeddings that a recipe's teachers give, in their order.  Raises UserError where one cannot teach it."""
    sizes = []
    for teacher, entry in zip(teachers, recipe.teacher, strict=False):
        if recipe.distill.live and teacher.feature != recipe.feature:
            raise UserError(
                f"distill.live: {entry.recipe} hears another [feature]; give it the student's, or set live = false."
            )
        if entry.layer:
            own = embedding.output(build.network(teacher, classes), entry.layer, f"teacher.{entry.recipe}.layer")
            sizes += entry.runs * [own.shape[-1]]
    return sizes


def _check_multi_label(recipe):
    for section in ("teacher", "hierarchy", "quantise"):
        if dataset.multi_label(recipe) and getattr(recipe, section):
            raise UserError(
                f"{recipe.file}: [{section}] is for datasets of one class a clip, and dataset '{recipe.dataset.name}' "
                f"is multi-label. Leave [{section}] out here; another recipe can have it and [start] from this one."
            )


def _traced(augmented, spec):
    """What an augmenter makes of a batch of that spec, as a spec; nothing is computed."""
    seed = tf.TensorSpec((2,), tf.int32)
    return dict(tf.function(augmented, autograph=False).get_concrete_function(spec, seed).structured_outputs)


def _trace_loss(student, targets):
    """Traces the terms of a Student's loss on targets of that spec; nothing is computed."""
    outputs = {key: tf.TensorSpec((4, *x.shape[1:]), x.dtype) for key, x in student.heads.output.items()}
    epoch = tf.TensorSpec((), tf.float32)
    tf.function(student.terms, autograph=False).get_concrete_function(outputs, targets, epoch)
