"""Pictures of a search as inline SVG: scatter plots with Pareto fronts, parallel coordinates, bars."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

WIDTH, HEIGHT, MARGIN = 470, 320, 70
AXIS_WIDTH, SIDE = 150, 110  # of parallel coordinates: between two axes, left and right of them
MOST_TICKS = 6


class Point(NamedTuple):
    """A trial in a scatter plot.

    Args:
        x, y: Position, x above 0.
        title: Text shown when the mouse is on it.
        front: Whether it is on the Pareto front.
    """

    x: float
    y: float
    title: str
    front: bool


class Axis(NamedTuple):
    """An axis of parallel coordinates.

    Args:
        name: Its name.
        ticks: Texts by position, 0 (bottom) to 1 (top).
    """

    name: str
    ticks: Mapping[float, str]


class Line(NamedTuple):
    """A trial in parallel coordinates.

    Args:
        positions: On every axis, 0 to 1; None where it has no value.
        title: Text shown when the mouse is on it.
        rank: 0 (worst) to 1 (best), its colour.
    """

    positions: Sequence[float | None]
    title: str
    rank: float


def scatter(points: Sequence[Point], x_name: str, y_name: str) -> str:
    """Scatter plot with a logarithmic x axis; a line joins the points of the Pareto front.

    Args:
        points: The points, at least one.
        x_name: Name of the x axis.
        y_name: Name of the y axis.
    """
    x_low, x_high = _widened([math.log10(point.x) for point in points], 0.05)
    y_low, y_high = _widened([point.y for point in points], 0.01)

    def at(point):
        x = MARGIN + (math.log10(point.x) - x_low) / (x_high - x_low) * (WIDTH - MARGIN - 16)
        return x, _y((point.y - y_low) / (y_high - y_low))

    front = sorted(point for point in points if point.front)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, front))
    parts = [_frame(x_name, y_name), _y_ticks(y_low, y_high), f'<polyline class="front" points="{path}"/>']
    for value in _log_ticks(x_low, x_high):
        x, _ = at(Point(value, y_low, "", False))
        parts.append(_text(x, HEIGHT - MARGIN + 18, _short(value), "middle"))
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="16" y2="{HEIGHT - MARGIN}"/>')
    for point in sorted(points, key=lambda point: point.front):  # those of the front on top
        x, y = at(point)
        kind = "point best" if point.front else "point"
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5">{_title(point.title)}</circle>')
    return _svg(WIDTH, HEIGHT, parts)


def parallel(axes: Sequence[Axis], lines: Sequence[Line]) -> str:
    """Parallel coordinates: a line for every trial, the better the darker and the more on top.

    Args:
        axes: The axes, from left to right.
        lines: The trials.
    """
    parts = []
    for number, axis in enumerate(axes):
        x = SIDE + number * AXIS_WIDTH
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{_y(0):.1f}" y2="{_y(1):.1f}"/>')
        parts.append(_text(x, HEIGHT - (14 if number % 2 else 36), axis.name, "middle"))  # long names side by side
    for line in sorted(lines, key=lambda line: line.rank):
        pairs = [(SIDE + n * AXIS_WIDTH, _y(p)) for n, p in enumerate(line.positions) if p is not None]
        path = " ".join(f"{x},{y:.1f}" for x, y in pairs)
        colour = f"hsl({220 - 200 * line.rank:.0f} 75% 45%)"
        parts.append(f'<polyline class="trial" stroke="{colour}" points="{path}">{_title(line.title)}</polyline>')
    for number, axis in enumerate(axes):
        for position, text in axis.ticks.items():
            parts.append(_text(SIDE + number * AXIS_WIDTH + 5, _y(position) - 3, text, "start", "tick"))
    return _svg(2 * SIDE + (len(axes) - 1) * AXIS_WIDTH, HEIGHT, parts)


def bars(values: Mapping[str, float]) -> str:
    """Horizontal bars of values from 0 to 1.

    Args:
        values: Values by name.
    """
    parts, left, full = [], 240, 300
    for number, (name, value) in enumerate(values.items()):
        y = 24 * number + 6
        parts.append(_text(left - 8, y + 13, name, "end"))
        parts.append(f'<rect class="bar" x="{left}" y="{y}" width="{max(1.0, full * value):.1f}" height="16"/>')
        parts.append(_text(left + full * value + 6, y + 13, f"{value:.2f}", "start"))
    return _svg(left + full + 60, 24 * len(values) + 12, parts)


def _frame(x_name, y_name):
    bottom = HEIGHT - MARGIN
    lines = f'<path class="axis" d="M {MARGIN} 16 V {bottom} H {WIDTH - 16}" fill="none"/>'
    middle = (bottom + 16) / 2
    turned = f'<text class="name" text-anchor="middle" transform="translate(13 {middle}) rotate(-90)">'
    return lines + _text((WIDTH + MARGIN) / 2, HEIGHT - 12, x_name, "middle") + f"{turned}{html.escape(y_name)}</text>"


def _y_ticks(low, high):
    values = [low + (high - low) * step / 4 for step in range(5)]
    digits = max(2, 1 - math.floor(math.log10(high - low)))
    texts = [_text(MARGIN - 6, _y(step / 4) + 4, f"{value:.{digits}f}", "end") for step, value in enumerate(values)]
    return "".join(texts)


def _log_ticks(low, high):
    """Round values between two powers of ten, at most six."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        values = [digit * 10**decade for decade in decades for digit in digits]
        values = [value for value in values if low <= math.log10(value) <= high]
        if len(values) <= MOST_TICKS:
            break
    return values or [10 ** ((low + high) / 2)]


def _widened(values, least):
    """Both ends of a range around values, which has a length."""
    low, high = min(values), max(values)
    margin = max(least, 0.06 * (high - low))
    return low - margin, high + margin


def _short(value):
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g}"


def _y(share):
    return HEIGHT - MARGIN - share * (HEIGHT - MARGIN - 16)


def _text(x, y, text, anchor, kind="name"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _title(text):
    return f"<title>{html.escape(text)}</title>"


def _svg(width, height, parts):
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg {size} xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
