"""Systems of several trained runs whose probabilities are fused."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from asc_tf import metrics
from asc_tf.errors import UserError
from asc_tf.inference import sounds
from asc_tf.inference.forms import Form
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.scorer import Scorer, Scores
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import folder as run_folder
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder


class TrainedSystem:
    """Several trained runs that predict as one, by [fuse] of the system's recipe.

    Args:
        folder: The system's folder.
    """

    def __init__(self, folder: RunFolder):
        self.folder = folder

    @property
    def path(self) -> Path:
        """The system's folder."""
        return self.folder.path

    @property
    def recipe(self) -> Recipe:
        """The system's resolved recipe."""
        return self.folder.recipe

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.folder.labels

    @cached_property
    def members(self) -> list[TrainedRun]:
        """The runs that are fused, in the order of the recipe.

        Raises:
            UserError: One of them is not where it was.
        """
        paths = [Path(os.path.normpath(self.path / path)) for path in self.folder.read(layout.MEMBERS)]
        absent = [path for path in paths if not (path / layout.RECIPE).is_file()]
        if absent:
            raise UserError(
                f"{self.path}: its member {absent[0]} is not there; move the system together with its members, which "
                "lie beside it."
            )
        return [TrainedRun(run_folder.load(path)) for path in paths]

    def for_device(self, device: str) -> "TrainedSystem":
        """The system with those networks of its members that are for sounds of a recording device.

        Args:
            device: As of TrainedRun.for_device.

        Raises:
            UserError: No member has networks of devices.
        """
        system = TrainedSystem(self.folder)
        system.members = [member.for_device(device) if member.devices else member for member in self.members]
        if not any(member.devices for member in self.members):
            raise UserError(f"{self.path}: its members have no networks of devices; name no device.")
        return system

    @property
    def devices(self) -> list[str]:
        """Devices for which a member has a network of its own."""
        return sorted({device for member in self.members for device in member.devices})

    @property
    def forms(self) -> list[str]:
        """Names of the forms that all members have."""
        first, *others = self.members
        return [form for form in first.forms if all(form in other.forms for other in others)]

    def form(self, name: str) -> tuple[Form, ...]:
        """One executable form of every member.

        Args:
            name: As of TrainedRun.form.

        Raises:
            UserError: There is no such form, or a member has no file of it.
        """
        return tuple(member.form(name) for member in self.members)

    def predict(
        self,
        sound: np.ndarray | str | Path,
        sample_rate_hz: int | None = None,
        *,
        form: str = "float",
        hop_s: float | None = None,
    ) -> np.ndarray:
        """Fused probabilities of every segment of a sound.

        Args:
            sound: As of TrainedRun.predict.
            sample_rate_hz: As of TrainedRun.predict.
            form: Form of the members that computes them, as of TrainedRun.form.
            hop_s: As of TrainedRun.predict.

        Returns:
            (segments, classes) float64, summing to 1 over the classes.

        Raises:
            UserError: As of TrainedRun.predict.
        """
        return sounds.score_sound(self.scorer(form), sound, sample_rate_hz, hop_s=hop_s).probabilities

    def scorer(self, form: str = "float", *, embeddings: bool = False) -> Scorer:
        """The system as a function from windows to fused probabilities, and embeddings where they are asked for.

        The embeddings are those of the members side by side.

        Args:
            form: As of TrainedRun.form.
            embeddings: As of TrainedRun.scorer.

        Raises:
            UserError: As of TrainedRun.scorer, or the members have segments of different lengths.
        """
        members = [member.scorer(form, embeddings=embeddings) for member in self.members]
        lengths = sorted({member.segment_s for member in members})
        if len(lengths) > 1:
            listed = " and ".join(f"{length:g} s" for length in lengths)
            raise UserError(f"{self.path}: its members have segments of {listed}; only equal ones can be fused.")
        rates_hz = tuple(sorted({member.rates_hz[0] for member in members}))

        def score(waves):
            by_rate = dict(zip(rates_hz, waves, strict=True))
            scores = [member.score([by_rate[member.rates_hz[0]]]) for member in members]
            fused = metrics.fuse([one.probabilities for one in scores], self.recipe.fuse.method)
            return Scores(fused, np.concatenate([one.embeddings for one in scores], axis=1) if embeddings else None)

        return Scorer(score, self.labels, rates_hz, lengths[0])


def load_run(path: str | Path) -> TrainedRun | TrainedSystem:
    """Loads a trained or imported run, or a system of several.

    Args:
        path: Its folder.

    Raises:
        UserError: There is no run.
    """
    folder = run_folder.load(path, systems=True)
    return TrainedSystem(folder) if folder.recipe.member else TrainedRun(folder)


def check_members(runs: Sequence[TrainedRun]) -> tuple[str, ...]:
    """The classes that all runs have in the same order.

    Raises:
        UserError: They differ.
    """
    for run in runs[1:]:
        if run.labels != runs[0].labels:
            raise UserError(f"{run.path}: has other classes than {runs[0].path}; fuse runs of one dataset.")
    return runs[0].labels
