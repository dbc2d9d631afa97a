"""Of which terms is the loss of a step the sum, and what does each weigh?

loss = label weight x (label + group weight x group) + teacher weight x teacher + embedding weight x embedding.
"""

from keras import ops

from asc_tf import schedules
from asc_tf.distillation import embedding, hierarchy, soft_targets


def weights(epoch, distill=None, hierarchy=None):
    """{term: weight} at an epoch, which may be a fraction and a tensor, of a recipe's [distill] and [hierarchy]."""
    found = {"label": 1.0}
    if hierarchy:
        found["group"] = schedules.weight(epoch, hierarchy.weight)
    if distill:
        label = schedules.weight(epoch, distill.label_weight)
        own = distill.teacher_weight
        found["label"] = label
        found["teacher"] = 1.0 - label if own is None else schedules.weight(epoch, own)
        found["embedding"] = schedules.weight(epoch, distill.embedding_weight)
    return found


def total(
    outputs, targets, weights, *, temperature=1.0, form="textbook", membership=None, of_labels=soft_targets.label_loss
):
    """The terms and their weighted sum, as a dict of (batch,): loss, label and whatever else there is.

    outputs: of the student: "logits" (batch, classes); where learnt from, its "embedding N" (batch, size) in the
             size of each teacher's, and "group" (batch, groups) logits of a second head.
    targets: "label" (batch, classes) distributions; where there are teachers "teacher" (batch, classes) logits and
             "embedding N" (batch, size), N = 0, 1, ...  Of mixed clips these have (batch, voices, ...) and beside
             them "share" (batch, voices): the distance is that mixture of the distances from each voice.
    weights: as `weights` gives them; without one of group or teacher that term is not made.
    temperature, form: see soft_targets.   membership: (classes, groups), see hierarchy.
    of_labels: soft_targets.label_loss, or multi_label_loss where a clip may have several classes.
    """
    terms = {"label": of_labels(outputs["logits"], targets["label"])}
    if "group" in weights:
        terms["group"] = hierarchy.loss(_of_groups(outputs, membership), targets["label"], membership)
    if "teacher" in weights:
        far = lambda student, said: soft_targets.loss(student, said, temperature, form)  # noqa: E731
        terms["teacher"] = _distance(far, outputs["logits"], targets, "teacher")
    if made := [key for key in outputs if key.startswith("embedding ")]:
        terms["embedding"] = sum(_distance(embedding.loss, outputs[key], targets, key) for key in made) / len(made)
    return terms | {"loss": _weighted(terms, weights)}


def _weighted(terms, weights):
    label = terms["label"] + weights["group"] * terms["group"] if "group" in terms else terms["label"]
    taught = [weights[name] * terms[name] for name in ("teacher", "embedding") if name in terms]
    return sum(taught, start=weights["label"] * label)


def _of_groups(outputs, membership):
    if "group" in outputs:
        return ops.log_softmax(outputs["group"], axis=-1)
    return hierarchy.log_probabilities(outputs["logits"], membership)


def _distance(far, student, targets, key):
    """(batch,): far(student, what is said); of voices the mean by their shares."""
    if "share" not in targets:
        return far(student, targets[key])
    return ops.sum(targets["share"] * far(ops.expand_dims(student, 1), targets[key]), axis=-1)
