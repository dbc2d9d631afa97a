"""The folder of a search: its records, which workers share, and the claims of trials.

search.json       what the search is, every candidate with what became of it, state of the tuner; replaced as a whole
lock              held while search.json is read and replaced
claims/0007       held by the process that trains trial 7; the system frees it however that process ends
trials/           0007-seed1 the run of trial 7 with seed 1, an ordinary run folder; 0007.log what it printed; runs that
                  trials share, such as teachers, beside them
search.html, search.md, trials.csv, best/    results, see tuning/report
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from asc_tf.data.lock import locked
from asc_tf.errors import UserError, printable
from asc_tf.runs import atomic
from asc_tf.tuning.engine.budget import Size
from asc_tf.tuning.engine.tuners import Known

RECORDS, LOCK, CLAIMS, TRIALS = "search.json", "lock", "claims", "trials"
LONGEST_DIFFERENCE = 100


@dataclass
class SearchCandidate:
    """Settings that were drawn, and what became of them.

    Args:
        order: Its number among all that were drawn.
        drawn, extra: As of tuners.Draw.
        settings: Values of the recipe's keys.
        size: Its size; None where the network cannot be built.
        status: "running", "finished" or "failed" for a trial, "refused" for one that is not trained.
        number: Number of the trial; None where it is refused.
        reason: Why it failed or was refused.
        values: The objective of every seed.
        score: Mean of them, less the penalty for size.
        starts: How often its training was started or resumed.
        epochs: Epochs that were complete at its last start.
        stalls: Starts in a row after which no further epoch was complete.
        seconds: What it took.
    """

    order: int
    drawn: dict[str, Any]
    extra: dict[str, Any]
    settings: dict[str, Any]
    size: Size | None
    status: str
    number: int | None = None
    reason: str = ""
    values: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    starts: int = 0
    epochs: int = 0
    stalls: int = 0
    seconds: float = 0.0

    @property
    def objective(self) -> float:
        """Mean of the objective over the seeds."""
        return sum(self.values.values()) / len(self.values)


@dataclass
class Records:
    """Content of search.json.

    Args:
        fixed: What the search is, as of SearchPlan.fixed.
        candidates: All candidates, in the order in which they were drawn.
        tuner_state: State of the tuner after the last trial.
        ended: Why no further candidate is drawn; empty while there may be.
    """

    fixed: dict[str, Any]
    candidates: list[SearchCandidate] = field(default_factory=list)
    tuner_state: dict[str, Any] = field(default_factory=dict)
    ended: str = ""

    @property
    def trials(self) -> list[SearchCandidate]:
        """The candidates that became trials."""
        return [one for one in self.candidates if one.status != "refused"]

    def of_status(self, status: str) -> list[SearchCandidate]:
        """The candidates of a status.

        Args:
            status: "running", "finished", "failed" or "refused".
        """
        return [one for one in self.candidates if one.status == status]

    @property
    def known(self) -> dict[str, Known]:
        """All candidates as tuners take them."""
        ids = [f"{one.number:04d}" if one.status != "refused" else f"refused {one.order}" for one in self.candidates]
        parts = [Known(one.order, one.drawn, one.extra, one.status, one.score) for one in self.candidates]
        return dict(zip(ids, parts, strict=True))


class SearchFolder:
    """The folder of a search.

    Args:
        path: The folder; created where it is not there.
        fixed: What the search is, as of SearchPlan.fixed.

    Raises:
        UserError: It holds another search or other files, cannot be written, or lies on a drive without locks.
    """

    def __init__(self, path: str | Path, fixed: dict[str, Any]):
        self.path, self.fixed = Path(path), fixed
        known = (self.path / RECORDS).is_file() or not self.path.exists()
        if not known and not (self.path.is_dir() and all(map(_is_ours, self.path.iterdir()))):
            raise UserError(f"{path}: is not empty and no search; choose another --out.")
        try:
            for name in (CLAIMS, TRIALS):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            (self.path / LOCK).touch()
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}); choose another --out.") from error
        with self.exclusive() as records:
            self._check_same(records.fixed)
            for unfinished in self.path.glob(f"{atomic.PART}*"):  # of killed processes; all write under the lock
                unfinished.unlink()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Records]:
        """Context in which no other process reads or changes the records; changes are written at its end."""
        with locked(self.path / LOCK, quiet=True, required=True):
            records = self._read()
            before = _text(records)
            yield records
            if _text(records) != before or not (self.path / RECORDS).is_file():
                atomic.write(self.path / RECORDS, _text(records))

    def claim(self, number: int) -> contextlib.ExitStack | None:
        """Claims a trial for this process.

        Args:
            number: Number of the trial.

        Returns:
            A context at whose end it is free again; None where another process has it.
        """
        file, held = self.path / CLAIMS / f"{number:04d}", contextlib.ExitStack()
        file.touch()
        try:
            held.enter_context(locked(file, wait=False, required=True))
        except UserError as error:
            if error.__cause__ is not None:  # the drive has no locks
                raise
            return None
        return held

    def run_path(self, number: int, seed: int) -> Path:
        """Folder of the run of a trial.

        Args:
            number: Number of the trial.
            seed: Seed of the run.
        """
        return self.path / TRIALS / f"{number:04d}-seed{seed}"

    def log_path(self, number: int) -> Path:
        """File of what a trial printed.

        Args:
            number: Number of the trial.
        """
        return self.path / TRIALS / f"{number:04d}.log"

    def _read(self):
        file = self.path / RECORDS
        if not file.is_file():
            return Records(self.fixed)
        try:
            tree = json.loads(file.read_text())
            candidates = [
                SearchCandidate(**one | {"size": Size(*one["size"]) if one["size"] else None})
                for one in tree["candidates"]
            ]
            return Records(**tree | {"candidates": candidates})
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{file}: is no record of a search; choose another --out.") from error

    def _check_same(self, fixed):
        for key in [key for key in self.fixed if self.fixed[key] != fixed.get(key)]:
            ours, theirs = _difference(str(self.fixed[key]), str(fixed.get(key)))
            raise UserError(
                f"{self.path}: is a search with another {key} ({printable(theirs)}, here {printable(ours)}); give the "
                "same command to go on, or choose another --out."
            )


def _is_ours(file):
    """Whether a search that was killed before its first record may have left a file."""
    return file.name in (LOCK, CLAIMS, TRIALS) or file.name.startswith(atomic.PART)


def _text(records):
    return json.dumps(asdict(records), indent=1) + "\n"


def _difference(one, other):
    """The first lines in which two texts differ."""
    lines = zip((*one.splitlines(), ""), (*other.splitlines(), ""), strict=False)
    pair = next(((first, second) for first, second in lines if first != second), (one, other))
    return tuple(text[:LONGEST_DIFFERENCE] for text in pair)
