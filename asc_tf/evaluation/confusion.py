"""Which scenes are taken for which?"""

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend must be chosen first: there may be no screen)


def draw(table, classes, path, *, title):
    """A PNG of (classes, classes) counts: rows true, columns predicted, shaded by the share of the row."""
    shares = table / table.sum(1, keepdims=True).clip(1)
    figure, axes = pyplot.subplots(figsize=(1.5 + 0.62 * len(classes), 1.2 + 0.58 * len(classes)))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, counts in enumerate(table):
        for column, count in enumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, count, ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="predicted", ylabel="true", title=f"{title}: clips of the test split")
    figure.tight_layout()
    figure.savefig(path, dpi=120, format="png")
    pyplot.close(figure)
