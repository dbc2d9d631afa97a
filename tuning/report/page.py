"""search.html: the results of a search as one page that needs no other file and no network."""

import math
from typing import Any

from asc_tf.evaluation import templates
from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import Records, SearchCandidate
from asc_tf.tuning.report import charts, pareto, tables
from asc_tf.tuning.report.charts import Axis, Line, Parallel, Point, Scatter

COSTS = {"macs": "MACs", "parameters": "parameters", "bytes": "bytes of parameters"}


def page(plan: SearchPlan, records: Records, importances: dict[str, float]) -> str:
    """The page.

    Args:
        plan: The search.
        records: Its records.
        importances: As of importance.importances.
    """
    finished = [one for one in tables.ranked(plan, records) if one.status == "finished"]
    names = tables.columns(plan, records)
    content = {
        "title": f"Search of {plan.recipe.name} over {plan.space.file.stem}",
        "facts": tables.facts(plan, records),
        "score": plan.objective.key,
        "finished": len(finished),
        "fronts": _fronts(plan, finished) if finished else [],
        "parallel": _parallel(plan, finished) if finished else None,
        "importances": importances,
        "columns": names,
        "rows": [
            (one.status, [_cell(value) for value in tables.row(plan, one, names).values()])
            for one in tables.ranked(plan, records)
        ],
        "size": {"width": charts.WIDTH, "height": charts.HEIGHT, "margin": charts.MARGIN, "top": charts.TOP},
    }
    return templates.render("search.html.jinja", content)


def _fronts(plan: SearchPlan, finished: list[SearchCandidate]) -> list[Scatter]:
    sign = 1 if plan.objective.direction == "max" else -1
    result = []
    for cost, name in COSTS.items():
        costs = [getattr(one.size, cost) for one in finished]
        front = pareto.front([sign * one.objective for one in finished], costs)
        points = [
            Point(max(x, 1), one.objective, _title(plan, one), index in front)
            for index, (x, one) in enumerate(zip(costs, finished, strict=True))
        ]
        result.append(charts.scatter(points, name, plan.objective.key))
    return result


def _parallel(plan: SearchPlan, finished: list[SearchCandidate]) -> Parallel:
    keys = [key for key in plan.space.keys if any(key in one.settings for one in finished)]
    keys += [key for key in finished[0].settings if key not in plan.space.keys]
    columns = [_column(key, [one.settings.get(key) for one in finished], plan) for key in keys]
    columns.append(_column(plan.objective.key, [one.objective for one in finished], plan))
    lines = [
        Line(positions, _title(plan, one), 1 - rank / max(1, len(finished) - 1))
        for rank, (one, *positions) in enumerate(zip(finished, *(positions for _, positions in columns), strict=True))
    ]
    return charts.parallel([axis for axis, _ in columns], lines)


def _column(key, values, plan):
    """An axis and the positions of values on it; None for values that are absent."""
    searched = plan.space.keys.get(key)
    known = [value for value in values if value is not None]
    if searched and searched.choices:
        names = [searched.text(choice) for choice in searched.choices if choice in known]
        places = {name: (index + 0.5) / len(names) for index, name in enumerate(names)}
        ticks = {place: name for name, place in places.items()}
        return Axis(key, ticks), [None if value is None else places[searched.text(value)] for value in values]
    scale = math.log if searched and searched.kind == "log" else float
    low, high = min(map(scale, known)), max(map(scale, known))
    positions = [None if v is None else (scale(v) - low) / (high - low) if high > low else 0.5 for v in values]
    ends = {0.0: f"{min(known):.6g}", 1.0: f"{max(known):.6g}"} if high > low else {0.5: f"{known[0]:.6g}"}
    return Axis(key, ends), positions


def _title(plan: SearchPlan, candidate: SearchCandidate) -> str:
    """What the mouse on a trial shows."""
    settings = [f"{key} = {text}" for key, text in tables.setting_texts(plan, candidate).items()]
    size = candidate.size
    figures = [f"{plan.objective.key} {candidate.objective:.4f}", f"score {candidate.score:.4f}"]
    costs = [f"{size.parameters:,} parameters", f"{size.bytes:,} bytes", f"{size.macs:,} MACs"]
    return "\n".join([f"trial {candidate.number}", *figures, *costs, *settings])


def _cell(value: Any) -> tuple[str, bool]:
    """A value as text, and whether it is a number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:,}" if number else str(value), number
