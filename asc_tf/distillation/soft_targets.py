"""How far is the student from the softened teacher?

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015.
"""

from keras import ops


def loss(student, teacher, temperature):
    """KL divergence from the softened teacher to the softened student, times temperature squared.

    student, teacher: (batch, classes) logits.  Returns (batch,), summed over classes.
    CP-JKU's 2023 code averages over the 10 classes instead: its 0.98 is 0.098 here.
    """
    log_student = ops.log_softmax(student / temperature, axis=-1)
    log_teacher = ops.log_softmax(teacher / temperature, axis=-1)
    return temperature**2 * ops.sum(ops.exp(log_teacher) * (log_teacher - log_student), axis=-1)


def label_loss(student, labels):
    """Cross entropy of (batch, classes) logits with (batch, classes) label distributions.  Returns (batch,)."""
    return -ops.sum(labels * ops.log_softmax(student, axis=-1), axis=-1)


def multi_label_loss(student, labels):
    """Binary cross entropy of (batch, classes) logits with (batch, classes) labels of 0 to 1.

    Returns (batch,), the mean over the classes, as AudioSet's systems are trained.
    """
    return ops.mean(ops.softplus(student) - labels * student, axis=-1)


def total(student, targets, *, temperature, label_weight, of_labels=label_loss):
    """The terms and their weighted sum, as a dict of (batch,): label, teacher (where there is one), loss.

    targets: {"label": (batch, classes), "teacher": (batch, classes) logits or absent}.  Of mixed clips "teacher"
    is (batch, voices, classes), beside "share" (batch, voices): the loss is that mixture of the voices' losses.
    of_labels: label_loss, or multi_label_loss where a clip may have several classes.
    """
    label = of_labels(student, targets["label"])
    if "teacher" not in targets:
        return {"label": label, "loss": label}
    if "share" in targets:
        voices = loss(ops.expand_dims(student, 1), targets["teacher"], temperature)
        teacher = ops.sum(targets["share"] * voices, axis=-1)
    else:
        teacher = loss(student, targets["teacher"], temperature)
    return {"label": label, "teacher": teacher, "loss": label_weight * label + (1 - label_weight) * teacher}
