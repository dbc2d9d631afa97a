"""How much each key of a search matters, from its finished trials.

The measure is the share of the variance of the scores that one split by the key explains, less the mean of the same
for scores in random order, which is what chance explains; at least 0. It looks at one key at a time: keys that matter
only together have small values.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LEAST_TRIALS = 4
SHUFFLES = 200


def importances(settings: Sequence[Mapping[str, Any]], scores: Sequence[float]) -> dict[str, float]:
    """Importance of every key, 0 to 1, the largest first; without keys that have one value or fewer than four trials.

    Args:
        settings: Values by key of every trial; keys may be absent.
        scores: Score of every trial.
    """
    keys = list(dict.fromkeys(key for one in settings for key in one))
    values = {}
    for key in keys:
        having = [index for index, one in enumerate(settings) if key in one]
        of_key, y = [settings[index][key] for index in having], np.array([scores[index] for index in having], float)
        if len(having) >= LEAST_TRIALS and len({repr(value) for value in of_key}) > 1 and np.ptp(y) > 0:
            values[key] = _importance(of_key, y)
    return dict(sorted(values.items(), key=lambda item: -item[1]))


def _importance(values, y):
    random = np.random.default_rng(0)
    chance = np.mean([_explained(values, random.permutation(y)) for _ in range(SHUFFLES)])
    return float(max(0.0, _explained(values, y) - chance))


def _explained(values, y):
    """Largest share of the variance that a split in two explains: of numbers at a threshold, of others by means."""
    x = _numbers(values, y)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order] - y.mean()
    ends = np.flatnonzero(np.diff(x)) + 1  # first index of the right part
    left = np.cumsum(y)[ends - 1]
    return np.max(left**2 / ends + left**2 / (len(y) - ends)) / np.sum(y**2)


def _numbers(values, y):
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return np.array(values, float)
    texts = np.array([repr(value) for value in values])
    means = {text: y[texts == text].mean() for text in set(texts)}
    ranks = {text: rank for rank, text in enumerate(sorted(means, key=means.get))}
    return np.array([ranks[text] for text in texts], float)
