"""How good are probabilities, counted as the DCASE challenge counts?

Everything takes labels (clips,) of class numbers and probabilities (clips, classes).
"""

import numpy as np


def softmax(logits):
    """Probabilities (clips, classes) of logits, in float64."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True)
    return np.exp(shifted) / np.exp(shifted).sum(-1, keepdims=True)


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


def scores(labels, probabilities):
    """The figures that every table shows, as a dict of plain numbers."""
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
