"""How well probabilities agree with the share of right answers.

Source:  Guo et al., "On calibration of modern neural networks", ICML 2017: reliability diagram, expected calibration
         error with 15 bins of equal width, temperature by minimising the log loss.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize

from asc_tf.metrics import scores

BINS = 15
MOST = 50.0  # temperature that is looked for; the least is its reciprocal


class Bin(NamedTuple):
    """The segments whose highest probability is above `low` and at most `high`.

    Args:
        low, high: Limits of the probability.
        count: Number of segments.
        confidence: Mean of their highest probabilities; NaN without segments.
        accuracy: Share of right ones; NaN without segments.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = BINS) -> list[Bin]:
    """Bins of equal width of the highest probability.

    Args:
        labels: (segments,) class indices.
        probabilities: (segments, classes).
        bins: Number of bins.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    result = []
    for position in range(bins):
        inside = index == position
        means = (confidence[inside].mean(), right[inside].mean()) if inside.any() else (np.nan, np.nan)
        result.append(Bin(edges[position], edges[position + 1], int(inside.sum()), *map(float, means)))
    return result


def expected_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean over segments of |accuracy - confidence| of their bin.

    Args:
        bins: Of `reliability`.
    """
    filled = [one for one in bins if one.count]
    return sum(one.count * abs(one.accuracy - one.confidence) for one in filled) / sum(one.count for one in filled)


def temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature by which logits are divided for the least log loss; above 1 of an overconfident network.

    Args:
        labels: (segments,) class indices.
        probabilities: (segments, classes), of temperature 1.
    """
    logits = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))  # up to a constant of each segment

    def loss(ln_temperature):
        return scores.log_loss(labels, scores.softmax(logits / np.exp(ln_temperature)))

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-np.log(MOST), np.log(MOST)), method="bounded").x))
