"""Where did int8 lose accuracy: in which class, behind which layer?"""

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend must be chosen first: there may be no screen)


def draw(forms, layers, path):
    """A PNG: bars of every form's accuracy by class, and of every layer's error.

    forms: {name: {"by_class": {class: accuracy}, ...}}, or without "by_class" where the clips have no known class.
    layers: as export/device/layer_errors.py gives them, or empty.
    """
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(13, max(4, 1 + 0.2 * len(layers))), gridspec_kw={"width_ratios": (3, 2)}
    )
    classes = list(next(iter(forms.values())).get("by_class", []))
    places, width = np.arange(len(classes)), 0.8 / len(forms)
    for number, (name, figures) in enumerate(forms.items()):
        left.bar(places + number * width, [100 * figures["by_class"][c] for c in classes], width, label=name)
    left.set_xticks(places + 0.4 - width / 2, classes, rotation=45, ha="right")
    left.set(ylabel="accuracy, %", title="By class")
    left.legend(fontsize=8)
    rows = np.arange(len(layers))
    right.barh(rows, [100 * layer["error"] for layer in layers], color="lightgray", label="all up to here")
    right.barh(rows, [100 * layer["own_error"] for layer in layers], label="here alone")
    right.set_yticks(rows, [layer["layer"] for layer in layers], fontsize=7)
    right.invert_yaxis()
    right.set(xlabel="error, % of the layer's root mean square", title="int8 by layer")
    right.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120, format="png")
    pyplot.close(figure)
