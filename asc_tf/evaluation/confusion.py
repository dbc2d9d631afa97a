"""Picture of a confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from asc_tf.evaluation import pictures


def draw(table: np.ndarray, classes: Sequence[str], *, title: str, split: str = "test") -> bytes:
    """Draws a confusion matrix, shaded by the share of the row.

    Args:
        table: (classes, classes) counts, rows true, columns predicted.
        classes: Names of the classes.
        title: Start of the picture's title.
        split: The split that the clips are of.

    Returns:
        Bytes of a PNG file.
    """
    shares = table / table.sum(1, keepdims=True).clip(1)
    figure = Figure(figsize=(max(4.2, 1.5 + 0.62 * len(classes)), 1.2 + 0.58 * len(classes)))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, counts in enumerate(table):
        for column, count in enumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, count, ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="predicted", ylabel="true", title=f"{title}: clips of the {split} split")
    figure.tight_layout()
    return pictures.png(figure, dpi=120)
