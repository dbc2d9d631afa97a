"""Confidence intervals of scores by the bootstrap over recordings.

Segments of one recording are alike: they are drawn together, with replacement, as whole recordings. An interval over
segments would be too narrow.

Source:  Efron, "Bootstrap methods: another look at the jackknife", 1979; percentile intervals.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DRAWS, EDGES = 1000, (0.025, 0.975)
_AT_ONCE = 100  # draws; their weights are (draws, recordings)


class _Sums(NamedTuple):
    """Sums over the segments of each recording: right and all segments by class (recordings, classes), -ln p."""

    right: np.ndarray
    count: np.ndarray
    loss: np.ndarray


def intervals(
    labels: np.ndarray, probabilities: np.ndarray, recordings: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, list[float]]:
    """95 % intervals of the scores of one network.

    Args:
        labels: (segments,) class indices.
        probabilities: (segments, classes).
        recordings: (segments,) recording of every segment.
        draws: Number of draws.
        seed: Of the draws.

    Returns:
        {"macro_accuracy", "log_loss"}: [lower, upper]; {"by_class"}: (classes, 2) of them, NaN for classes without
        segments.
    """
    index, count = _indices(recordings)
    drawn = _drawn([_sums(labels, probabilities, index, count)], count, draws, seed)
    quantiles = {name: np.array([_quantile(column, EDGES) for column in values.T]) for name, values in drawn.items()}
    return {
        "macro_accuracy": quantiles["macro_accuracy"][0].tolist(),
        "log_loss": quantiles["log_loss"][0].tolist(),
        "by_class": quantiles["by_class"].tolist(),
    }


def paired(
    labels: np.ndarray,
    one: Sequence[np.ndarray],
    other: Sequence[np.ndarray],
    recordings: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, list[float]]:
    """95 % intervals of the differences of two kinds of networks on the same segments, `other` less `one`.

    Args:
        labels: (segments,) class indices.
        one: (segments, classes) probabilities of each network of a kind, as of several seeds; scores are averaged.
        other: The same of the other kind.
        recordings: (segments,) recording of every segment.
        draws: Number of draws; all networks are scored on the same recordings in each.
        seed: Of the draws.

    Returns:
        {"macro_accuracy", "log_loss"}: [lower, upper, share of the draws in which `other` is better; equal ones count
        half].
    """
    index, count = _indices(recordings)
    sums = [_sums(labels, p, index, count) for p in (*one, *other)]
    drawn = _drawn(sums, count, draws, seed)
    result = {}
    for name, sign in (("macro_accuracy", 1), ("log_loss", -1)):
        difference = drawn[name][:, len(one) :].mean(1) - drawn[name][:, : len(one)].mean(1)
        better = np.mean(sign * difference > 0) + 0.5 * np.mean(difference == 0)
        result[name] = [*_quantile(difference, EDGES).tolist(), float(better)]
    return result


def _indices(recordings):
    """Index of the recording of every segment, and the number of recordings."""
    names, index = np.unique(np.asarray(recordings), return_inverse=True)
    return index, len(names)


def _sums(labels, probabilities, index, count):
    classes = probabilities.shape[1]
    right, of_class, loss = np.zeros((count, classes)), np.zeros((count, classes)), np.zeros(count)
    np.add.at(of_class, (index, labels), 1)
    np.add.at(right, (index, labels), probabilities.argmax(1) == labels)
    np.add.at(loss, index, -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-15, 1.0)))
    return _Sums(right, of_class, loss)


def _scores(weights, sums):
    """Scores of draws: weights (draws, recordings) are how often each recording was drawn."""
    count = weights @ sums.count
    with np.errstate(invalid="ignore"):
        by_class = (weights @ sums.right) / count
    present = count > 0
    macro = np.where(present, by_class, 0).sum(1) / present.sum(1)
    return {
        "macro_accuracy": macro[:, None],
        "log_loss": (weights @ sums.loss / count.sum(1))[:, None],
        "by_class": by_class,
    }


def _drawn(sums: Sequence[_Sums], count: int, draws: int, seed: int) -> dict[str, np.ndarray]:
    """{name: (draws, columns)}; the columns of several networks are beside each other."""
    rng, parts = np.random.default_rng(seed), []
    for start in range(0, draws, _AT_ONCE):
        size = min(_AT_ONCE, draws - start)
        weights = rng.multinomial(count, np.full(count, 1 / count), size).astype(np.float64)
        of_networks = [_scores(weights, one) for one in sums]
        parts.append({name: np.hstack([one[name] for one in of_networks]) for name in of_networks[0]})
    return {name: np.vstack([part[name] for part in parts]) for name in parts[0]}


def _quantile(values, edges):
    known = values[~np.isnan(values)]
    return np.quantile(known, edges) if len(known) else np.full(len(edges), np.nan)
