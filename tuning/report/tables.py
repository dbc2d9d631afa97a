"""Tables of a search: summary for the console, Markdown, CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from asc_tf.errors import printable
from asc_tf.tuning.engine.budget import UNITS
from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import Records, SearchCandidate

STATUSES = ("finished", "failed", "running", "refused")
COSTS = ("parameters", "bytes", "macs", "ram")


def columns(plan: SearchPlan, records: Records) -> list[str]:
    """Names of the columns of a table: fixed ones and the keys of the search.

    Args:
        plan: The search.
        records: Its records.
    """
    keys = list(dict.fromkeys([*plan.space.keys, *(key for one in records.candidates for key in one.settings)]))
    return ["trial", "status", "score", plan.objective.key, *COSTS, *keys, "seconds", "reason"]


def row(plan: SearchPlan, candidate: SearchCandidate, names: Sequence[str]) -> dict[str, Any]:
    """A candidate as a row: values by column, empty texts where there are none.

    Args:
        plan: The search.
        candidate: The candidate.
        names: Names of the columns.
    """
    values = dict.fromkeys(names, "") | {
        "trial": "" if candidate.number is None else candidate.number,
        "status": candidate.status,
        "score": "" if candidate.score is None else round(candidate.score, 6),
        plan.objective.key: round(candidate.objective, 6) if candidate.values else "",
        "seconds": round(candidate.seconds, 1) if candidate.seconds else "",
        "reason": candidate.reason,
    }
    return values | (candidate.size._asdict() if candidate.size else {}) | setting_texts(plan, candidate)


def setting_texts(plan: SearchPlan, candidate: SearchCandidate) -> dict[str, str]:
    """Settings of a candidate as texts, by key.

    Args:
        plan: The search.
        candidate: The candidate.
    """
    keys = plan.space.keys
    return {key: keys[key].text(value) if key in keys else str(value) for key, value in candidate.settings.items()}


def ranked(plan: SearchPlan, records: Records) -> list[SearchCandidate]:
    """All candidates: the finished ones, the best first, then the failed, the running and the refused ones.

    Args:
        plan: The search.
        records: Its records.
    """
    sign = -1 if plan.objective.direction == "max" else 1
    finished = sorted(records.of_status("finished"), key=lambda one: sign * one.score)
    return [*finished, *(one for status in STATUSES[1:] for one in records.of_status(status))]


def summary(plan: SearchPlan, records: Records) -> str:
    """Counts and the five best trials as text.

    Args:
        plan: The search.
        records: Its records.
    """
    counts = ", ".join(f"{len(records.of_status(status))} {status}" for status in STATUSES)
    lines = ["", f"{len(records.trials)} of {plan.trials} trials: {counts} (refused ones were not trained)"]
    if records.ended:
        lines.append(f"no further trial: {records.ended}")
    lines.append(f"{'trial':>6}{'score':>10}{plan.objective.key:>26}{'parameters':>13}{'MACs':>14}  settings")
    for one in [one for one in ranked(plan, records) if one.status == "finished"][:5]:
        settings = printable(", ".join(f"{key} {text}" for key, text in setting_texts(plan, one).items()))
        costs = f"{one.size.parameters:13,}{one.size.macs:14,}"
        lines.append(f"{one.number:6}{one.score:10.4f}{one.objective:26.4f}{costs}  {settings}")
    for one in records.of_status("failed"):
        lines.append(f"{one.number:6}    failed: {one.reason}")
    return "\n".join(lines)


def to_csv(plan: SearchPlan, records: Records) -> str:
    """All candidates as CSV.

    Args:
        plan: The search.
        records: Its records.
    """
    names, text = columns(plan, records), io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(plan, one, names) for one in ranked(plan, records))
    return text.getvalue()


def to_markdown(plan: SearchPlan, records: Records, importances: dict[str, float]) -> str:
    """The search as a page of Markdown: what it was, importance of keys, table of all candidates.

    Args:
        plan: The search.
        records: Its records.
        importances: As of importance.importances.
    """
    names = columns(plan, records)
    lines = [f"# Search of {_cell(plan.recipe.name)} over {_cell(plan.space.file.stem)}", ""]
    lines += [f"{line}  " for line in facts(plan, records)]
    lines += ["", "| key | importance |", "|---|---|"]
    lines += [f"| {_cell(key)} | {value:.2f} |" for key, value in importances.items()]
    lines += ["", f"| {' | '.join(map(_cell, names))} |", "|" + "---|" * len(names)]
    for one in ranked(plan, records):
        lines.append(f"| {' | '.join(_cell(value) for value in row(plan, one, names).values())} |")
    return "\n".join(lines) + "\n"


def facts(plan: SearchPlan, records: Records) -> list[str]:
    """What a search was, line by line.

    Args:
        plan: The search.
        records: Its records.
    """
    counts = ", ".join(f"{len(records.of_status(status))} {status}" for status in STATUSES)
    seeds = ", ".join(map(str, plan.seeds))
    limits = ", ".join(f"{most:,} {UNITS[name]}" for name, most in plan.limits.given.items())
    lines = [
        f"Candidates: {counts}. Refused ones are beyond a limit or do not fit together; they were not trained.",
        f"Objective: {plan.objective.key} on the validation split ({plan.objective.direction}), seeds {seeds}; "
        f"penalty for size {plan.objective.penalty:g}. Weights are chosen on the same split: expect less on the test.",
        f"Tuner: {plan.tuner}. Limits: {limits or 'none'}.",
    ]
    return [*lines, f"No further trial: {records.ended}"] if records.ended else lines


def _cell(value):
    """Text of a cell of Markdown: characters that have a meaning in it are escaped."""
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return "".join(f"\\{one}" if one in "\\|<>*_`[]#" else one for one in printable(text))
