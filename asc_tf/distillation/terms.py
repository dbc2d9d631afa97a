"""The loss of a training step: its terms and their weights.

loss = label weight x (label + group weight x group) + teacher weight x teacher + embedding weight x embedding.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from asc_tf.distillation import embedding, hierarchy, soft_targets
from asc_tf.recipe.schema import Distill, Hierarchy, Ramp


def weight(epoch: float | keras.KerasTensor, setting: float | Ramp) -> float | keras.KerasTensor:
    """Value of a recipe's weight at an epoch.

    Args:
        epoch: Counted from 0; may be a fraction and a tensor.
        setting: A number, or a Ramp.
    """
    if not isinstance(setting, Ramp):
        return setting
    progress = ops.convert_to_tensor((epoch - setting.first_epoch) / (setting.last_epoch - setting.first_epoch))
    return setting.start + (setting.end - setting.start) * ops.clip(progress, 0.0, 1.0)


def weights(
    epoch: float | keras.KerasTensor, distill: Distill | None = None, hierarchy: Hierarchy | None = None
) -> dict[str, Any]:
    """Weights of all terms at an epoch, by the term's name; none of the teachers' logits where teacher_weight is 0.

    Args:
        epoch: Counted from 0; may be a fraction and a tensor.
        distill: Section of the recipe, or None.
        hierarchy: Section of the recipe, or None.
    """
    values = {"label": 1.0}
    if hierarchy:
        values["group"] = weight(epoch, hierarchy.weight)
    if distill:
        label, teacher = weight(epoch, distill.label_weight), distill.teacher_weight
        values["label"] = label
        if teacher != 0:
            values["teacher"] = 1.0 - label if teacher is None else weight(epoch, teacher)
        values["embedding"] = weight(epoch, distill.embedding_weight)
    return values


def total(
    outputs: Mapping[str, keras.KerasTensor],
    targets: Mapping[str, keras.KerasTensor],
    weights: Mapping[str, Any],
    *,
    temperature: float = 1.0,
    form: str = "textbook",
    membership: np.ndarray | None = None,
    embedding_sizes: Sequence[int] = (),
    label_loss: Callable = soft_targets.label_loss,
) -> dict[str, keras.KerasTensor]:
    """The terms of the loss and their weighted sum.

    Args:
        outputs: Of the student: "logits" (batch, classes); with embedding distillation "embedding"
            (batch, sum of embedding_sizes), its embedding projected to each teacher's size, side by side; with two
            branches "group" (batch, groups) logits of the groups' head.
        targets: "label" (batch, classes) distributions; with teachers "teacher" (batch, classes) logits and
            "embedding" (batch, sum of embedding_sizes). Of mixed clips these two are (batch, components, ...), beside
            "share" (batch, components), and the distance is the mean of the distances from each component, weighted
            by the shares. "class_weights" (batch, classes), where they are given, multiply the parts of the classes in
            the cross entropy with the labels.
        weights: As `weights` returns them; terms "group" and "teacher" without a weight are left out.
        temperature: Temperature of the soft targets.
        form: Form of the soft targets, see soft_targets.py.
        membership: (classes, groups), see hierarchy.py.
        embedding_sizes: Size of each teacher's embedding.
        label_loss: soft_targets.label_loss, or multi_label_loss where a clip may have several classes.

    Returns:
        {"loss", "label" and the other terms}, each (batch,).
    """
    labels = targets["label"] * targets["class_weights"] if "class_weights" in targets else targets["label"]
    terms = {"label": label_loss(outputs["logits"], labels)}
    if "group" in weights:
        terms["group"] = hierarchy.loss(_group_log_probabilities(outputs, membership), targets["label"], membership)
    if "teacher" in weights:
        terms["teacher"] = _distance(
            lambda student, teacher: soft_targets.loss(student, teacher, temperature=temperature, form=form),
            outputs["logits"],
            targets["teacher"],
            targets.get("share"),
        )
    if "embedding" in outputs:
        terms["embedding"] = _distance(
            lambda student, teachers: embedding.loss(student, teachers, embedding_sizes),
            outputs["embedding"],
            targets["embedding"],
            targets.get("share"),
        )
    return terms | {"loss": _weighted(terms, weights)}


def _weighted(terms, weights):
    label = terms["label"] + weights["group"] * terms["group"] if "group" in terms else terms["label"]
    distances = [weights[name] * terms[name] for name in ("teacher", "embedding") if name in terms]
    return sum(distances, start=weights["label"] * label)


def _group_log_probabilities(outputs, membership):
    if "group" in outputs:
        return ops.log_softmax(outputs["group"], axis=-1)
    return hierarchy.log_probabilities(outputs["logits"], membership)


def _distance(distance, student, target, share):
    """distance(student, target) (batch,); of mixed clips its mean over the components, weighted by their shares."""
    if share is None:
        return distance(student, target)
    return ops.sum(share * distance(ops.expand_dims(student, 1), target), axis=-1)
