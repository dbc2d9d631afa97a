"""One trial: the runs of a candidate, one a seed, and their figures on the validation split."""

import contextlib
import errno
import gc
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from asc_tf import dataset
from asc_tf.chain.stages import in_order, stages
from asc_tf.chain.train import train
from asc_tf.errors import UserError, printable
from asc_tf.evaluation import evaluate
from asc_tf.inference.run import TrainedRun
from asc_tf.runs import layout, times
from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import SearchCandidate, SearchFolder

# What no trial can be blamed for: the disk is full, or must not be written.
OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
LONGEST_REASON = 300


def carry_out(plan: SearchPlan, folder: SearchFolder, candidate: SearchCandidate) -> dict[str, float]:
    """Trains the runs of a trial, from where they stopped if they did, and evaluates them.

    Args:
        plan: The search.
        folder: Its folder.
        candidate: The trial, claimed by this process.

    Returns:
        The objective by the seed.
    """
    recipe, values = plan.candidate(candidate.settings), {}
    for seed in plan.seeds:
        with _printed_to(folder.log_path(candidate.number), f"trial {candidate.number}"):
            path = folder.run_path(candidate.number, seed)
            run = train(plan.trained(recipe, seed), path, resume=True)
            values[str(seed)] = plan.objective.value(_validation(run))
        release_memory()
    return values


def reason(error: Exception) -> str:
    """Why a trial failed, in one line.

    Args:
        error: What its training raised.

    Raises:
        Exception: The error, where it is none of the trial's: the disk is full, for example.
    """
    cause = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in OF_DISK:
            raise error
        cause = cause.__cause__
    if isinstance(error, UserError):
        text = str(error)
    elif isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)):
        text = f"out of memory ({type(error).__name__})"
    else:
        text = f"{type(error).__name__}: {error}".splitlines()[0]
    return printable(text)[:LONGEST_REASON]


def epochs_done(plan: SearchPlan, folder: SearchFolder, candidate: SearchCandidate) -> int:
    """Complete epochs of all runs of a trial and of those that they depend on.

    Args:
        plan: The search.
        folder: Its folder.
        candidate: The trial.
    """
    recipe, logs = plan.candidate(candidate.settings), set()
    for seed in plan.seeds:
        for stage in in_order(stages(plan.trained(recipe, seed), folder.run_path(candidate.number, seed))):
            logs |= {stage.path / name for name in (layout.LOG, layout.QAT_LOG) if stage.run.has(name)}
    return sum(len(file.read_text().splitlines()) - 1 for file in logs)


def seconds(plan: SearchPlan, folder: SearchFolder, candidate: SearchCandidate) -> float:
    """Seconds that all runs of a finished trial took, without what interruptions lost.

    Args:
        plan: The search.
        folder: Its folder.
        candidate: The trial.
    """
    recipe = plan.candidate(candidate.settings)
    paths = {seed: folder.run_path(candidate.number, seed) for seed in plan.seeds}
    runs = [stages(plan.trained(recipe, seed), path).run for seed, path in paths.items()]
    return sum(phase["seconds"] for run in runs for phase in times.read(run).values())


def release_memory() -> None:
    """Frees the networks and graphs of a trial, which would add up."""
    keras.utils.clear_session()
    gc.collect()


def _validation(run: TrainedRun):
    """Report of the validation split, computed once and stored in the run."""
    if not run.folder.has(layout.VALIDATION):
        data = dataset.load(run.recipe, quiet=True)
        run.folder.write_json(layout.VALIDATION, evaluate.validation_report(run, data))
    return run.folder.read(layout.VALIDATION)


@contextlib.contextmanager
def _printed_to(file: Path, title: str) -> Iterator[None]:
    """Context in which stdout goes to a file; lines of epochs are printed too."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(file, "a", encoding="utf-8", errors="backslashreplace"))
        stack.enter_context(contextlib.redirect_stdout(_Lines(log, sys.stdout, title)))
        yield


class _Lines(io.TextIOBase):
    """A text stream that passes everything on to a file, and lines of epochs to another stream."""

    def __init__(self, file, screen, title):
        self.file, self.screen, self.title, self.line = file, screen, title, ""

    def write(self, text):
        self.file.write(text)
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            if "  epoch " in line or "goes on after epoch" in line:
                print(f"{self.title}: {line}", file=self.screen, flush=True)
        return len(text)

    def flush(self):
        self.file.flush()
