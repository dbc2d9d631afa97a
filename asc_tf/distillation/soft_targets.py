"""How far is the student from the softened teacher?

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, and what challenge systems made of it.

With p = softmax(logits / temperature) and KL = sum over classes of p_teacher (ln p_teacher - ln p_student):
    textbook    temperature^2 KL
    cpjku2023   temperature^2 KL / classes: the executed code of CP-JKU 2023 (and 2024) takes the mean over all
                elements, batch x classes, where KL sums over the classes.  So of its printed weights 0.02 and 0.98
                the latter is 0.098 of the textbook's; at temperature 2 it puts 0.392 beside 0.02, not 3.92.
    x50         50 KL / classes, whatever the temperature (published with 3): the same mean, and 50 in place of
                temperature^2, in a sum with the whole label loss, so label_weight = teacher_weight = 1.
"""

from keras import ops

X50 = 50.0


def loss(student, teacher, temperature, form="textbook"):
    """KL divergence from the softened teacher to the softened student, scaled as the form says.

    student, teacher: (batch, classes) logits, or of any shapes that broadcast.  Returns (batch,).
    """
    log_student = ops.log_softmax(student / temperature, axis=-1)
    log_teacher = ops.log_softmax(teacher / temperature, axis=-1)
    divergence = ops.sum(ops.exp(log_teacher) * (log_teacher - log_student), axis=-1)
    return factor(form, temperature, classes=student.shape[-1]) * divergence


def factor(form, temperature, classes):
    """What a form multiplies the KL divergence with."""
    return {"textbook": temperature**2, "cpjku2023": temperature**2 / classes, "x50": X50 / classes}[form]


def label_loss(student, labels):
    """Cross entropy of (batch, classes) logits with (batch, classes) label distributions.  Returns (batch,)."""
    return -ops.sum(labels * ops.log_softmax(student, axis=-1), axis=-1)


def multi_label_loss(student, labels):
    """Binary cross entropy of (batch, classes) logits with (batch, classes) labels of 0 to 1.

    Returns (batch,), the mean over the classes, as AudioSet's systems are trained.
    """
    return ops.mean(ops.softplus(student) - labels * student, axis=-1)
