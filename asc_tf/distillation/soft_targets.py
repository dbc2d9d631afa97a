"""Soft-target distillation: KL divergence between softened teacher and student, or binary cross entropy.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, and its forms in challenge systems; binary:
        Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge distillation", 2023.

With p = softmax(logits / temperature) and KL = sum over classes of p_teacher (ln p_teacher - ln p_student):
    textbook     temperature^2 KL
    cpjku2023    temperature^2 KL / classes: the executed code of CP-JKU 2023 (and 2024) takes the mean over all
                 elements, batch x classes, where KL sums over the classes.  So of its printed weights 0.02 and 0.98
                 the latter is 0.098 of the textbook's; at temperature 2 it puts 0.392 beside 0.02, not 3.92.
    mean_kl_x50  50 KL / classes, whatever the temperature (published with 3): the same mean, and 50 in place of
                 temperature^2, in a sum with the whole label loss, so label_weight = teacher_weight = 1.
Where a clip may have several classes each class is a distribution of its own:
    binary       mean over the classes of the cross entropy of sigmoid(student / temperature) with
                 sigmoid(teacher / temperature); published with temperature 1, label_weight 0.1, teacher_weight 0.9.
"""

import keras
from keras import ops


def loss(
    student: keras.KerasTensor, teacher: keras.KerasTensor, *, temperature: float, form: str = "textbook"
) -> keras.KerasTensor:
    """Distance from the softened teacher to the softened student, as the form says.

    Args:
        student: (batch, classes) logits, or of any shape that broadcasts.
        teacher: The teacher's logits.
        temperature: Above 0.
        form: "textbook", "cpjku2023", "mean_kl_x50" or "binary", see the module.

    Returns:
        (batch,).
    """
    if form == "binary":
        return multi_label_loss(student / temperature, ops.sigmoid(teacher / temperature))
    log_student = ops.log_softmax(student / temperature, axis=-1)
    log_teacher = ops.log_softmax(teacher / temperature, axis=-1)
    divergence = ops.sum(ops.exp(log_teacher) * (log_teacher - log_student), axis=-1)
    return factor(form, temperature, classes=student.shape[-1]) * divergence


def factor(form: str, temperature: float, classes: int) -> float:
    """Factor of the KL divergence in a form that has one."""
    return {"textbook": temperature**2, "cpjku2023": temperature**2 / classes, "mean_kl_x50": 50.0 / classes}[form]


def label_loss(student: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
    """Cross entropy with labels.

    Args:
        student: (batch, classes) logits.
        labels: (batch, classes) label distributions.

    Returns:
        (batch,).
    """
    return -ops.sum(labels * ops.log_softmax(student, axis=-1), axis=-1)


def multi_label_loss(student: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross entropy with labels, the mean over the classes, as AudioSet's systems are trained.

    Args:
        student: (batch, classes) logits.
        labels: (batch, classes), 0 to 1.

    Returns:
        (batch,).
    """
    return ops.mean(ops.softplus(student) - labels * student, axis=-1)
