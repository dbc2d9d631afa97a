"""Accuracy, log loss and average precision, computed as the DCASE challenge and AudioSet compute them.

All functions take labels (clips,) of class indices and probabilities (clips, classes).  Where clips may have several
classes, as AudioSet's, labels are (clips, classes) bool and the main figure is the mean average precision.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in float64.

    Args:
        logits: (..., classes).
    """
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True)
    return np.exp(shifted) / np.exp(shifted).sum(-1, keepdims=True)


def probabilities(logits: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """Probabilities (clips, classes) in float64: softmax or, with multi_label, the sigmoid of every logit.

    Args:
        logits: (clips, classes).
        multi_label: Whether a clip may have several classes.
    """
    if not multi_label:
        return softmax(logits)
    decay = np.exp(-np.abs(np.asarray(logits, np.float64)))  # never overflows
    return np.where(np.asarray(logits) >= 0, 1.0, decay) / (1 + decay)


def fuse(probabilities: np.ndarray | Sequence[np.ndarray], method: str) -> np.ndarray:
    """Probabilities of several models fused to those of one.

    Args:
        probabilities: (models, clips, classes).
        method: "mean", or "prod", the product: p_c = prod_s p_sc / sum_d prod_s p_sd, computed as a sum of logarithms;
            a probability of 0 counts as the smallest float64.

    Returns:
        (clips, classes), summing to 1 over the classes.

    Source:
        "prod": AIT's system, DCASE 2023 Task 1, which divides by the number of models instead.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if method == "mean":
        return probabilities.mean(0)
    return softmax(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)).sum(0))


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Confusion matrix (classes, classes) of counts: rows are true classes, columns the most probable ones."""
    classes = probabilities.shape[1]
    pairs = np.asarray(labels) * classes + probabilities.argmax(-1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_accuracy(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Accuracy (classes,) on the clips of every class; NaN for a class without clips."""
    table = confusion(labels, probabilities)
    with np.errstate(invalid="ignore"):
        return table.diagonal() / table.sum(1)


def macro_accuracy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of the classes' accuracies, the challenge's ranking metric; classes without clips do not count."""
    return float(np.nanmean(class_accuracy(labels, probabilities)))


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -ln of the true class's probability, clipped at 1e-15."""
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-15, 1.0)).mean())


def average_precision(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Average precision (classes,): the sum over thresholds of precision times the gain in recall.

    Clips of equal probability share one threshold, so their order does not matter: as scikit-learn's
    average_precision_score, without interpolation.

    Args:
        labels: (clips, classes) bool.
        probabilities: (clips, classes).

    Returns:
        One value a class, NaN for a class without clips.
    """
    return np.array([_average_precision(*column) for column in zip(labels.T, probabilities.T, strict=True)])


def _average_precision(positive, probability):
    order = np.argsort(-probability)
    falls = np.diff(probability[order]) < 0
    ends = np.flatnonzero(np.append(falls, True))  # the last clip of each threshold
    true_positives = np.cumsum(positive[order])[ends]
    if not true_positives[-1]:
        return np.nan
    return np.sum(np.diff(true_positives, prepend=0) * true_positives / (ends + 1)) / true_positives[-1]


def binary_log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean binary cross entropy over clips and classes; probabilities are clipped at 1e-15.

    Args:
        labels: (clips, classes) bool.
        probabilities: (clips, classes).
    """
    return float(-np.log(np.clip(np.where(labels, probabilities, 1 - probabilities), 1e-15, 1.0)).mean())


def monitor(summary: dict[str, Any]) -> str:
    """The key of a summary by which models are compared: the challenge's metric, or AudioSet's."""
    return "macro_accuracy" if "macro_accuracy" in summary else "mean_average_precision"


def by_class(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The monitored metric of every class (classes,); NaN for a class without clips."""
    return (class_accuracy if labels.ndim == 1 else average_precision)(labels, probabilities)


def summary(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Number of clips, accuracies or mean average precision, and log loss, as plain numbers."""
    if labels.ndim == 2:
        return {
            "clips": len(labels),
            "mean_average_precision": float(np.nanmean(average_precision(labels, probabilities))),
            "log_loss": binary_log_loss(labels, probabilities),
        }
    return {
        "clips": len(labels),
        "accuracy": float((probabilities.argmax(-1) == labels).mean()),
        "macro_accuracy": macro_accuracy(labels, probabilities),
        "log_loss": log_loss(labels, probabilities),
    }


def mean_by_file(files: Sequence[str], probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the segments' probabilities of every file.

    Args:
        files: (segments,) file of every segment.
        probabilities: (segments, classes).

    Returns:
        Index of the first segment of each file (files,), and the means (files, classes), in order of appearance.
    """
    _, first, inverse = np.unique(files, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(sums, inverse, probabilities)
    means = sums / np.bincount(inverse)[:, None]
    order = np.argsort(first)
    return first[order], means[order]
