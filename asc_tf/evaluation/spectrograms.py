"""What does a sound look like to the front ends, and to a network in training?"""

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend must be chosen first: there may be no screen)

TICKS_HZ = (63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)
RANGE_DB = 80  # below each picture's own maximum


def draw(panels, path, *, title):
    """A PNG of panels (name, (bands, frames) dB, (bands,) Hz, (frames,) seconds), lowest band at the bottom."""
    figure, row = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 4.5), squeeze=False)
    for axes, (name, level, hz, seconds) in zip(row[0], panels, strict=True):
        _panel(figure, axes, level, hz, seconds)
        axes.set(title=f"{name}, {level.shape[0]} x {level.shape[1]}", xlabel="time, s", ylabel="frequency, Hz")
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, dpi=120, format="png")
    pyplot.close(figure)


def sheet(rows, path, *, title):
    """A PNG of rows (name, (bands,) Hz, [(title, (bands, frames))]), the lowest band at the bottom of each picture.

    A row has one range of colours: that of its first picture.
    """
    columns = len(rows[0][2])
    figure, grid = pyplot.subplots(
        len(rows), columns, figsize=(3.2 * columns, 1.7 * len(rows) + 0.6), squeeze=False, layout="constrained"
    )
    for line, (name, hz, pictures) in zip(grid, rows, strict=True):
        for axes, (_, level) in zip(line, pictures, strict=True):
            low, high = pictures[0][1].min(), pictures[0][1].max()
            axes.imshow(
                level, origin="lower", aspect="auto", interpolation="nearest", cmap="magma", vmin=low, vmax=high
            )
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_yticks(*zip(*_ticks(hz)[::2], strict=True), fontsize=7)
        line[0].set_title(name, loc="left", fontsize=8)
    for axes, (heading, _) in zip(grid[-1], rows[0][2], strict=True):
        axes.set_xlabel(heading)
    figure.suptitle(f"{title}: frequency in Hz over time")
    figure.savefig(path, dpi=100, format="png")
    pyplot.close(figure)


def _panel(figure, axes, level, hz, seconds):
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
