"""Pictures of spectrograms."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asc_tf.evaluation import pictures


class Panel(NamedTuple):
    """One spectrogram with its axes.

    Args:
        name: Title.
        level: (bands, frames) in dB.
        hz: (bands,) centre frequencies.
        seconds: (frames,) times.
    """

    name: str
    level: np.ndarray
    hz: np.ndarray
    seconds: np.ndarray


class SheetRow(NamedTuple):
    """Several spectrograms of one clip.

    Args:
        name: Title.
        hz: (bands,) centre frequencies.
        pictures: (title, (bands, frames) levels) of each.
    """

    name: str
    hz: np.ndarray
    pictures: list[tuple[str, np.ndarray]]


TICKS_HZ = (63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)
RANGE_DB = 80  # below each picture's own maximum


def draw(panels: Sequence[Panel], *, title: str) -> bytes:
    """Draws panels side by side, the lowest band at the bottom.

    Args:
        panels: The spectrograms.
        title: Title of the picture.

    Returns:
        Bytes of a PNG file.
    """
    figure = Figure(figsize=(5 * len(panels), 4.5))
    row = figure.subplots(1, len(panels), squeeze=False)
    for axes, (name, level, hz, seconds) in zip(row[0], panels, strict=True):
        _panel(figure, axes, level, hz, seconds)
        axes.set(title=f"{name}, {level.shape[0]} x {level.shape[1]}", xlabel="time, s", ylabel="frequency, Hz")
    figure.suptitle(title)
    figure.tight_layout()
    return pictures.png(figure, dpi=120)


def sheet(rows: Sequence[SheetRow], *, title: str) -> bytes:
    """Draws rows of spectrograms, the lowest band at the bottom of each picture.

    A row has one range of colours: that of its first picture.

    Args:
        rows: The rows, each with the same number of pictures.
        title: Title of the picture.

    Returns:
        Bytes of a PNG file.
    """
    columns = len(rows[0].pictures)
    figure = Figure(figsize=(3.2 * columns, 1.7 * len(rows) + 0.6), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, hz, shown) in zip(grid, rows, strict=True):
        for axes, (_, level) in zip(line, shown, strict=True):
            low, high = shown[0][1].min(), shown[0][1].max()
            axes.imshow(
                level, origin="lower", aspect="auto", interpolation="nearest", cmap="magma", vmin=low, vmax=high
            )
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_yticks(*zip(*_ticks(hz)[::2], strict=True), fontsize=7)
        line[0].set_title(name, loc="left", fontsize=8)
    for axes, (heading, _) in zip(grid[-1], rows[0].pictures, strict=True):
        axes.set_xlabel(heading)
    figure.suptitle(f"{title}: frequency in Hz over time")
    return pictures.png(figure, dpi=100)


def _panel(figure: Figure, axes: Axes, level: np.ndarray, hz: np.ndarray, seconds: np.ndarray) -> None:
    hop = seconds[1] - seconds[0] if len(seconds) > 1 else 1.0
    extent = (seconds[0] - hop / 2, seconds[-1] + hop / 2, -0.5, len(hz) - 0.5)
    picture = axes.imshow(
        level, origin="lower", aspect="auto", extent=extent, interpolation="nearest", cmap="magma",
        vmin=level.max() - RANGE_DB, vmax=level.max(),
    )  # fmt: skip
    axes.set_yticks(*zip(*_ticks(hz), strict=True))
    figure.colorbar(picture, ax=axes, label="dB", fraction=0.05)


def _ticks(hz):
    """[(row, Hz)] of the frequencies shown, far enough apart to be read."""
    shown = []
    for tick in TICKS_HZ:
        row = np.interp(tick, hz, np.arange(len(hz)))
        if hz[0] <= tick <= hz[-1] and (not shown or row - shown[-1][0] > len(hz) / 20):
            shown.append((row, tick))
    return shown
