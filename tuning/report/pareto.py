"""The candidates that no other one is better than in both score and cost."""

from collections.abc import Sequence

import numpy as np


def front(scores: Sequence[float], costs: Sequence[float]) -> list[int]:
    """Indices of the points on the Pareto front, the cheapest first.

    Of equal points the first one is on it.

    Args:
        scores: Of every point; large is good.
        costs: Of every point; small is good.
    """
    order = np.lexsort((np.arange(len(scores)), -np.asarray(scores, float), np.asarray(costs, float)))
    chosen, best = [], -np.inf
    for index in order.tolist():
        if scores[index] > best:
            best = scores[index]
            chosen.append(index)
    return chosen
