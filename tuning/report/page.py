"""search.html: the results of a search as one page that needs no other file and no network."""

import html
import math

from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import Records, SearchCandidate
from asc_tf.tuning.report import pareto, svg, tables
from asc_tf.tuning.report.svg import Axis, Line, Point

COSTS = {"macs": "MACs", "parameters": "parameters", "bytes": "bytes of parameters"}
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1500px; padding: 0 1em; color: #222 }
table { border-collapse: collapse; font-size: 13px } td, th { padding: 3px 9px; border-bottom: 1px solid #ddd }
th { text-align: left; background: #f4f4f4 } td { vertical-align: top } .wide { overflow-x: auto }
td.number { text-align: right; white-space: nowrap }
svg { margin-right: 1em } svg text { font: 12px system-ui, sans-serif; fill: #333 }
svg .tick { fill: #555; font-size: 11px; paint-order: stroke; stroke: #fff; stroke-width: 3px }
.axis { stroke: #555; stroke-width: 1 } .grid { stroke: #eee } .front { fill: none; stroke: #c63; stroke-width: 2 }
.point { fill: #7a9cc6; stroke: #fff } .best { fill: #c63 } .bar { fill: #7a9cc6 }
.trial { fill: none; stroke-width: 2; opacity: .75 } .trial:hover, .point:hover { stroke: #000 }
.failed td { color: #a33 } .refused td { color: #888 }
"""


def page(plan: SearchPlan, records: Records, importances: dict[str, float]) -> str:
    """The page.

    Args:
        plan: The search.
        records: Its records.
        importances: As of importance.importances.
    """
    finished = [one for one in tables.ranked(plan, records) if one.status == "finished"]
    title = html.escape(f"Search of {plan.recipe.name} over {plan.space.file.stem}")
    facts = "".join(f"<li>{html.escape(line)}</li>" for line in tables.facts(plan, records))
    parts = [f"<h1>{title}</h1><ul>{facts}</ul>"]
    if finished:
        parts += [_fronts(plan, finished), _parallel(plan, finished)]
    if importances:
        parts += [
            "<h2>Which key matters</h2><p>Share of the variance of the score that one split by the key explains, less "
            f"what chance explains, over {len(finished)} trials.</p>{svg.bars(importances)}"
        ]
    parts.append(_table(plan, records))
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _fronts(plan, finished):
    sign = 1 if plan.objective.direction == "max" else -1
    pictures = []
    for cost, name in COSTS.items():
        costs = [getattr(one.size, cost) for one in finished]
        front = pareto.front([sign * one.objective for one in finished], costs)
        points = [
            Point(max(x, 1), one.objective, _title(plan, one), index in front)
            for index, (x, one) in enumerate(zip(costs, finished, strict=True))
        ]
        pictures.append(svg.scatter(points, name, plan.objective.key))
    text = "<p>Orange: no other trial is both better and smaller. The mouse on a point shows its settings.</p>"
    return f"<h2>{html.escape(plan.objective.key)} and size</h2>{text}{''.join(pictures)}"


def _parallel(plan, finished):
    keys = [key for key in plan.space.keys if any(key in one.settings for one in finished)]
    keys += [key for key in finished[0].settings if key not in plan.space.keys]
    columns = [_column(key, [one.settings.get(key) for one in finished], plan) for key in keys]
    columns.append(_column(plan.objective.key, [one.objective for one in finished], plan))
    lines = [
        Line(positions, _title(plan, one), 1 - rank / max(1, len(finished) - 1))
        for rank, (one, *positions) in enumerate(zip(finished, *(positions for _, positions in columns), strict=True))
    ]
    text = "<p>A line a trial: from blue, the worst, to red, the best.</p>"
    picture = svg.parallel([axis for axis, _ in columns], lines)
    return f'<h2>Settings of the trials</h2>{text}<div class="wide">{picture}</div>'


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


def _table(plan, records):
    names = tables.columns(plan, records)
    rows = []
    for one in tables.ranked(plan, records):
        cells = "".join(_cell(value) for value in tables.row(plan, one, names).values())
        rows.append(f'<tr class="{one.status}">{cells}</tr>')
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    return f'<h2>All candidates</h2><div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _cell(value):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{html.escape(str(value))}</td>"
