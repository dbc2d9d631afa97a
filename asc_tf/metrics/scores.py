"""How good are probabilities, counted as the DCASE challenge counts?

Everything takes labels (clips,) of class numbers and probabilities (clips, classes).  Where clips may have several
classes, as AudioSet's, labels are (clips, classes) bool and what counts is the mean average precision.
"""

import numpy as np


def softmax(logits):
    """Probabilities (clips, classes) of logits, in float64."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True)
    return np.exp(shifted) / np.exp(shifted).sum(-1, keepdims=True)


def probabilities(logits, *, multi_label):
    """(clips, classes) in float64: softmax, or, where a clip may have several classes, a sigmoid of each."""
    if not multi_label:
        return softmax(logits)
    halves = np.exp(-np.abs(np.asarray(logits, np.float64)))  # of a large exponent there would be none
    return np.where(np.asarray(logits) >= 0, 1.0, halves) / (1 + halves)


def fused(probabilities, method):
    """(clips, classes) of several models' (models, clips, classes): their "mean" or their product ("prod").

    Products sum to 1 a clip: p_c = prod_s p_sc / sum_d prod_s p_sd, summed as logarithms; a probability of
    0 counts as the smallest number there is. As in AIT's system of 2023, which divides by the number of models instead.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if method == "mean":
        return probabilities.mean(0)
    return softmax(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)).sum(0))


def confusion(labels, probabilities):
    """(classes, classes) counts: rows are true classes, columns the most probable ones."""
    classes = probabilities.shape[1]
    pairs = np.asarray(labels) * classes + probabilities.argmax(-1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_accuracy(labels, probabilities):
    """(classes,) share of each class's clips that is right; NaN for a class without clips."""
    table = confusion(labels, probabilities)
    with np.errstate(invalid="ignore"):
        return table.diagonal() / table.sum(1)


def macro_accuracy(labels, probabilities):
    """Mean of the classes' accuracies, the challenge's measure; classes without clips do not count."""
    return float(np.nanmean(class_accuracy(labels, probabilities)))


def log_loss(labels, probabilities):
    """Mean negative natural logarithm of the true class's probability, clipped at 1e-15."""
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-15, 1.0)).mean())


def average_precision(labels, probabilities):
    """(classes,) sums over the thresholds of precision times the gain in recall; NaN for a class without clips.

    labels: (clips, classes) bool.  Clips of equal probability share one threshold, so their order does not matter:
    as scikit-learn's average_precision_score, without interpolation.
    """
    return np.array([_average_precision(*column) for column in zip(labels.T, probabilities.T, strict=True)])


def _average_precision(positive, probability):
    order = np.argsort(-probability)
    falls = np.diff(probability[order]) < 0
    ends = np.flatnonzero(np.append(falls, True))  # the last clip of each threshold
    found = np.cumsum(positive[order])[ends]
    if not found[-1]:
        return np.nan
    return np.sum(np.diff(found, prepend=0) * found / (ends + 1)) / found[-1]


def binary_log_loss(labels, probabilities):
    """Mean over clips and classes of -ln of the probability that a class is there or not, clipped at 1e-15."""
    return float(-np.log(np.clip(np.where(labels, probabilities, 1 - probabilities), 1e-15, 1.0)).mean())


def deciding(figures):
    """Which of some `scores` decides between two models: that of the challenge, or of AudioSet."""
    return "macro_accuracy" if "macro_accuracy" in figures else "mean_average_precision"


def by_class(labels, probabilities):
    """(classes,) of what the deciding figure is the mean of; NaN for a class without clips."""
    return (class_accuracy if labels.ndim == 1 else average_precision)(labels, probabilities)


def scores(labels, probabilities):
    """The figures that every table shows, as a dict of plain numbers."""
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


def by_group(labels, probabilities, groups):
    """{group: scores} for the clips of every value in `groups` (clips,)."""
    groups = np.asarray(groups)
    return {str(group): scores(labels[groups == group], probabilities[groups == group]) for group in np.unique(groups)}


def mean_by_file(files, probabilities):
    """(first row of each file, (files, classes) mean of its segments' probabilities), in order of appearance."""
    _, first, inverse = np.unique(files, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(sums, inverse, probabilities)
    means = sums / np.bincount(inverse)[:, None]
    order = np.argsort(first)
    return first[order], means[order]
