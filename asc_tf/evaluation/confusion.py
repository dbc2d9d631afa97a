"""Picture of a confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from asc_tf.evaluation import pictures

MOST_WITH_COUNTS = 60  # classes; of more the picture keeps its size and has shades alone
COUNT_PT = 8.0
LABEL_PT = 10.0
POINTS_AN_INCH = 72


def draw(table: np.ndarray, classes: Sequence[str], *, title: str, split: str = "test") -> bytes:
    """Draws a confusion matrix, shaded by the share of the row, with its counts but zeros.

    Args:
        table: (classes, classes) counts, rows true, columns predicted.
        classes: Names of the classes.
        title: Start of the picture's title.
        split: The split that the clips are of.

    Returns:
        Bytes of a PNG file.
    """
    shares = table / table.sum(1, keepdims=True).clip(1)
    shown = min(len(classes), MOST_WITH_COUNTS)
    figure = Figure(figsize=(max(4.2, 1.5 + 0.62 * shown), 1.2 + 0.58 * shown))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(table) if shown == len(classes) else ():
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, table[row, column], ha="center", va="center", fontsize=COUNT_PT, color=color)
    axes.tick_params(labelsize=min(LABEL_PT, 0.5 * POINTS_AN_INCH * shown / len(classes)))
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="predicted", ylabel="true", title=f"{title}: clips of the {split} split")
    figure.tight_layout()
    return pictures.png(figure, dpi=120)
