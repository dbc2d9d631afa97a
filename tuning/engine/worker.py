"""The work of one process of a search: takes trials until there are no more; any number of processes may do so.

A process claims a trial, trains it and records what came of it. One that is killed loses its claim, and the next
process that looks for work goes on with its trial from the last whole epoch.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asc_tf.errors import printable
from asc_tf.tuning.engine import budget, trial
from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import Records, SearchCandidate, SearchFolder
from asc_tf.tuning.engine.tuners import IDLE, Draw

POLL_S = 1.0  # between looks for work while other processes train
MOST_REFUSED = 200  # candidates in a row before the search ends; a grid goes on to its end
MOST_STALLS = 20  # starts in a row without a further epoch


@dataclass
class ClaimedTrial:
    """A trial that this process has claimed.

    Args:
        candidate: The trial.
        held: Context of the claim.
    """

    candidate: SearchCandidate
    held: contextlib.ExitStack


class Worker:
    """One process of a search.

    Args:
        plan: The search.
        folder: Its folder.
        classes: Names of the classes.
        report: Called with the records after every trial; writes the results.
    """

    def __init__(
        self, plan: SearchPlan, folder: SearchFolder, classes: Sequence[str], report: Callable[[Records], None]
    ):
        self.plan, self.folder, self.classes, self.report = plan, folder, classes, report

    def work(self) -> Records:
        """Trains trials until the search is at its end.

        Returns:
            The records at the end.
        """
        waited = False
        while True:
            with self.folder.exclusive() as records:
                before = len(records.candidates)
                task = self._claim(records) or self._draw(records)
                nothing = task is None and len(records.candidates) == before
                running = bool(records.of_status("running"))
                ended = nothing and not running and self._complete(records)
            if task:
                self._train(task)
            elif ended:
                return self._ended()
            elif nothing and running:
                if not waited:
                    print("waiting for trials of other processes", flush=True)
                waited = True
                time.sleep(POLL_S)

    def _complete(self, records):
        return bool(records.ended) or len(records.trials) >= self.plan.trials

    def _ended(self):
        with self.folder.exclusive() as records:
            self.report(records)
            return records

    def _claim(self, records) -> ClaimedTrial | None:
        """A trial whose process has ended before it; None where there is none."""
        for candidate in records.of_status("running"):
            held = self.folder.claim(candidate.number)
            if held is None:
                continue
            if self._stalled(candidate):
                held.close()
                continue
            print(f"trial {candidate.number}: goes on ({_text(self.plan, candidate)})", flush=True)
            return ClaimedTrial(candidate, held)
        return None

    def _stalled(self, candidate):
        """Counts a start; whether the trial is given up because its process ends again and again."""
        done = trial.epochs_done(self.plan, self.folder, candidate)
        candidate.stalls = 0 if done > candidate.epochs else candidate.stalls + 1
        candidate.epochs, candidate.starts = done, candidate.starts + 1
        if candidate.stalls < MOST_STALLS:
            return False
        candidate.status = "failed"
        candidate.reason = f"its process was killed {MOST_STALLS} times before a further epoch: out of memory?"
        print(f"trial {candidate.number}: failed: {candidate.reason}", flush=True)
        return True

    def _draw(self, records) -> ClaimedTrial | None:
        """A new trial; None where there is none now, or where the candidate is refused."""
        if self._complete(records):
            return None
        draw = self.plan.choice.draw(records.known, records.tuner_state)
        if draw == IDLE:
            return None
        if draw is None:
            _end(records, "the space has no further settings.")
            return None
        candidate = self._candidate(records, draw)
        records.candidates.append(candidate)
        if candidate.status == "refused":
            print(f"not trained: {_text(self.plan, candidate)}: {candidate.reason}", flush=True)
            self._count_refused(records)
            return None
        records.tuner_state = draw.state
        print(f"trial {candidate.number} of {self.plan.trials}: {_text(self.plan, candidate)}", flush=True)
        return ClaimedTrial(candidate, self.folder.claim(candidate.number))

    def _candidate(self, records, draw: Draw) -> SearchCandidate:
        settings, size = self.plan.settings(draw.drawn, draw.extra), None
        try:
            size = budget.size(self.plan.candidate(settings), self.classes)
            refusal = "; ".join(self.plan.limits.exceeded(size))
        except Exception as error:  # whatever a network's settings lead to must not end the search
            refusal = trial.reason(error)
        made = SearchCandidate(len(records.candidates), draw.drawn, draw.extra, settings, size, "running", starts=1)
        if refusal:
            made.status, made.reason, made.starts = "refused", refusal, 0
        else:
            made.number = len(records.trials)
        return made

    def _count_refused(self, records):
        last = records.candidates[-MOST_REFUSED:]
        if self.plan.tuner == "grid" or len(last) < MOST_REFUSED or any(one.status != "refused" for one in last):
            return
        reason = f"the last {MOST_REFUSED} candidates were refused, the last one because {last[-1].reason}"
        _end(records, f"{reason}; make the space smaller or raise the limits.")

    def _train(self, task: ClaimedTrial) -> None:
        start_s, number = time.monotonic(), task.candidate.number
        status, values, reason = "finished", {}, ""
        with task.held:
            try:
                values = trial.carry_out(self.plan, self.folder, task.candidate)
                taken_s = trial.seconds(self.plan, self.folder, task.candidate)
            except Exception as error:
                status, values, reason = "failed", {}, trial.reason(error)
                taken_s = time.monotonic() - start_s
            trial.release_memory()
            with self.folder.exclusive() as records:
                candidate = next(one for one in records.trials if one.number == number)
                candidate.status, candidate.values, candidate.reason = status, values, reason
                candidate.seconds = taken_s
                if values:
                    size, limits = candidate.size, self.plan.limits
                    candidate.score = self.plan.objective.score(candidate.objective, size, limits)
                progress = _progress(self.plan, records, candidate)
        print(progress, flush=True)
        with self.folder.exclusive() as records:  # apart, so that no fault of a picture keeps a trial from its record
            self.report(records)


def best(plan: SearchPlan, records: Records) -> SearchCandidate | None:
    """The finished trial with the best score; None without one.

    Args:
        plan: The search.
        records: Its records.
    """
    sign = 1 if plan.objective.direction == "max" else -1
    return max(records.of_status("finished"), key=lambda one: sign * one.score, default=None)


def _end(records, reason):
    records.ended = reason
    print(f"no further trial: {reason}", flush=True)


def _text(plan, candidate):
    """Settings and size of a candidate in a line."""
    settings = printable(", ".join(f"{key} {_value(plan, key, value)}" for key, value in candidate.settings.items()))
    if candidate.size is None:
        return settings
    return f"{settings}; {candidate.size.parameters:,} parameters, {candidate.size.macs:,} MACs"


def _value(plan, key, value):
    return plan.space.keys[key].text(value) if key in plan.space.keys else value


def _progress(plan, records, candidate):
    """What became of a trial, the best so far, and the time left."""
    done = [one for one in records.trials if one.status != "running"]
    workers = 1 + sum(one.status == "running" for one in records.trials)
    left = max(0, plan.trials - len(done))
    left_s = left * sum(one.seconds for one in done) / len(done) / min(workers, max(left, 1))
    first, key = best(plan, records), plan.objective.key
    result = f"{key} {candidate.objective:.4f}" if candidate.values else f"failed: {candidate.reason}"
    lead = f"best {first.objective:.4f} (trial {first.number})" if first else "none finished yet"
    hours, rest = divmod(round(left_s), 3600)
    time_left = f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    return f"trial {candidate.number}: {result}; {lead}; {len(done)} of {plan.trials} done, about {time_left} left"
