"""Scorers: functions from windows of sound to probabilities and embeddings, which all kinds of trained runs have."""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from asc_tf.errors import UserError, printable
from asc_tf.inference import windows

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

    def spacing_s(self, hop_s: float | None) -> float:
        """Seconds between the starts of windows: whole samples at the first rate.

        Args:
            hop_s: Seconds that are asked for; None for windows that follow each other.

        Raises:
            UserError: hop_s is out of range.
        """
        return windows.sizes(self.rates_hz[0], self.segment_s, hop_s)[1] / self.rates_hz[0]


def load(path: str, *, tflite: bool = False, embeddings: bool = False, device: str | None = None) -> Scorer:
    """The scorer of a run folder, a system's folder, or a wave_to_scene.tflite, for which TensorFlow is not imported.

    Args:
        path: The folder or file.
        tflite: Whether to take the int8 file of a run instead of its float network.
        embeddings: Whether to compute embeddings too.
        device: Recording device of the sounds, whose network is taken where the run has one; None for the general one.

    Raises:
        UserError: There is no run, or it has no such form, no embeddings or no networks of devices.
    """
    if path.endswith(".tflite"):
        if device is not None:
            raise UserError(f"{path}: a .tflite file is one network; name that of the device, or the run folder.")
        return importlib.import_module("asc_tf.inference.wave_file").WaveFile(path).scorer(embeddings=embeddings)
    run = importlib.import_module("asc_tf.inference.system").load_run(path)
    if device is not None:
        known, run = run.devices, run.for_device(device)
        if device not in known:
            own = ", ".join(known)
            print(f"device '{printable(device)}' has no network of its own ({own}): the general one", file=sys.stderr)
    return run.scorer("tflite" if tflite else "float", embeddings=embeddings)
