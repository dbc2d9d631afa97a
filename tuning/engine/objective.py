"""The figure of the validation split that a search optimises."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError, nearest
from asc_tf.evaluation import evaluate
from asc_tf.tuning.engine.budget import Limits, Size

NETWORKS = ("float", "int8")
SMALL_IS_GOOD = ("log_loss", "error", "parameters", "bytes", "macs")


@dataclass(frozen=True)
class Objective:
    """A figure of a report in the form of metrics.json, computed on the validation split.

    Args:
        key: Its keys, joined by dots: "float.macro_accuracy", "int8.by_device.a.log_loss".
        penalty: Points that the score loses for a size at a limit, in proportion to smaller ones.
    """

    key: str
    penalty: float = 0.0

    @property
    def network(self) -> str:
        """The network whose figure it is, "float" or "int8"."""
        return self.key.split(".")[0]

    @property
    def direction(self) -> str:
        """Whether a large score is good, "max", or a small one, "min"."""
        return "min" if self.key.split(".")[-1] in SMALL_IS_GOOD else "max"

    def value(self, report: Mapping[str, Any]) -> float:
        """The figure in a report.

        Args:
            report: The report.

        Raises:
            UserError: It is not a number.
        """
        value = flat(report).get(self.key, math.nan)
        if not math.isfinite(value):
            raise UserError(f"{self.key} is {value}, not a finite number.")
        return value

    def score(self, value: float, size: Size, limits: Limits) -> float:
        """The figure, less the penalty for size.

        Args:
            value: The figure.
            size: Size of the network.
            limits: The limits of the search.
        """
        loss = self.penalty * limits.used_share(size)
        return value + loss if self.direction == "min" else value - loss


def check(objective: Objective, data: LoadedDataset) -> None:
    """Checks that a dataset's validation split has the figure.

    Args:
        objective: The objective.
        data: The dataset.

    Raises:
        UserError: There is no validation split, or it has no such figure.
    """
    if not len(data.validation):
        raise UserError(
            "the dataset has no validation split, and a search must not choose by the test split: set "
            "data.validation_share, as --set data.validation_share=0.1."
        )
    uniform = np.full((len(data.validation), len(data.classes)), 1 / len(data.classes))
    figures = {"cost": {"parameters": 1, "bytes": 1, "macs": 1}} | evaluate.figures(data, data.validation, uniform)
    known = flat({network: figures for network in NETWORKS})
    if objective.key not in known:
        main = [key for key in known if key.count(".") == 1 and key.startswith(f"{objective.network}.")]
        raise UserError(
            f"--objective {objective.key}: there is no such figure. {nearest(objective.key, main or known)}"
        )
    if not math.isfinite(known[objective.key]):
        raise UserError(f"--objective {objective.key}: the validation split has no clips for it.")


def flat(report: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """All numbers of a report by their keys, joined by dots.

    Args:
        report: The report.
        prefix: Start of the keys.
    """
    numbers = {}
    for key, value in report.items():
        if isinstance(value, Mapping):
            numbers |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, (int, float)):
            numbers[f"{prefix}{key}"] = value
    return numbers
