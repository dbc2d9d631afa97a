"""What does a sound look like to the front ends, side by side?"""

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
