"""Positions and texts of the charts of a search, which search.html.jinja draws: scatter plots, parallel coordinates."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

WIDTH, HEIGHT, MARGIN, TOP = 470, 320, 70, 16  # TOP is also the margin on the right
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


class Scatter(NamedTuple):
    """A scatter plot, in the units of its picture, y downwards.

    Args:
        x_name, y_name: Names of the axes.
        x_ticks, y_ticks: (position, text) of each.
        points: (x, y, title, whether on the Pareto front), those of the front last.
        front: (x, y) of the points of the front, from left to right.
    """

    x_name: str
    y_name: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    points: list[tuple[float, float, str, bool]]
    front: list[tuple[float, float]]


class Parallel(NamedTuple):
    """Parallel coordinates, in the units of their picture, y downwards.

    Args:
        width: Width of the picture.
        axes: (x, name) of each.
        ticks: (x, y, text) of each.
        lines: (hue in degrees, title, (x, y) of its points) of each trial, the best last.
    """

    width: int
    axes: list[tuple[float, str]]
    ticks: list[tuple[float, float, str]]
    lines: list[tuple[float, str, list[tuple[float, float]]]]


def scatter(points: Sequence[Point], x_name: str, y_name: str) -> Scatter:
    """Scatter plot with a logarithmic x axis.

    Args:
        points: The points, at least one.
        x_name: Name of the x axis.
        y_name: Name of the y axis.
    """
    x_low, x_high = _widened([math.log10(point.x) for point in points], 0.05)
    y_low, y_high = _widened([point.y for point in points], 0.01)

    def at_x(value):
        return MARGIN + (math.log10(value) - x_low) / (x_high - x_low) * (WIDTH - MARGIN - TOP)

    digits = max(2, 1 - math.floor(math.log10(y_high - y_low)))
    y_values = [y_low + (y_high - y_low) * step / 4 for step in range(5)]
    placed = [
        (at_x(point.x), _y((point.y - y_low) / (y_high - y_low)), point.title, point.front)
        for point in sorted(points, key=lambda point: point.front)
    ]
    return Scatter(
        x_name,
        y_name,
        [(at_x(value), _short(value)) for value in _log_ticks(x_low, x_high)],
        [(_y(step / 4), f"{value:.{digits}f}") for step, value in enumerate(y_values)],
        placed,
        sorted((x, y) for x, y, _, front in placed if front),
    )


def parallel(axes: Sequence[Axis], lines: Sequence[Line]) -> Parallel:
    """Parallel coordinates: a line for every trial, blue the worst, red the best.

    Args:
        axes: The axes, from left to right.
        lines: The trials.
    """
    xs = [SIDE + number * AXIS_WIDTH for number in range(len(axes))]
    return Parallel(
        2 * SIDE + (len(axes) - 1) * AXIS_WIDTH,
        [(x, axis.name) for x, axis in zip(xs, axes, strict=True)],
        [(x, _y(at), text) for x, axis in zip(xs, axes, strict=True) for at, text in axis.ticks.items()],
        [
            (
                220 - 200 * one.rank,
                one.title,
                [(x, _y(at)) for x, at in zip(xs, one.positions, strict=True) if at is not None],
            )
            for one in sorted(lines, key=lambda line: line.rank)
        ],
    )


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
    return HEIGHT - MARGIN - share * (HEIGHT - MARGIN - TOP)
