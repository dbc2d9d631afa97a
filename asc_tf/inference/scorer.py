"""Scorers: functions from windows of sound to probabilities and embeddings, which all kinds of trained runs have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

BATCH_S = 16.0


class Scores(NamedTuple):
    """What a scorer computes of some windows.

    Args:
        probabilities: (windows, classes) float64.
        embeddings: (windows, size) float32; None where they are not asked for.
    """

    probabilities: np.ndarray
    embeddings: np.ndarray | None = None


@dataclass(frozen=True)
class Scorer:
    """Scores of batches of windows.

    Args:
        score: Function from the windows at each of the rates, (windows, samples) float32 each, to their Scores.
        labels: Names of the classes.
        rates_hz: Sample rates of the windows; several where the members of a system have different ones.
        segment_s: Length of a window in seconds.
    """

    score: Callable[[Sequence[np.ndarray]], Scores]
    labels: tuple[str, ...]
    rates_hz: tuple[int, ...]
    segment_s: float

    @property
    def batch_size(self) -> int:
        """Windows that are scored at once."""
        return max(1, round(BATCH_S / self.segment_s))
