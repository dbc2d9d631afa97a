"""Picture of a comparison of forms: accuracy by class, error of int8 by layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from asc_tf.evaluation import pictures


def draw(forms: Mapping[str, Mapping[str, Any]], layers: Sequence[Mapping[str, Any]]) -> bytes:
    """Draws bars of every form's accuracy by class, and of every layer's error.

    Args:
        forms: Scores by the name of the form, with {"by_class": {class: accuracy}} where the clips have known classes.
        layers: Errors as export/device/layer_errors.py returns them, or empty.

    Returns:
        Bytes of a PNG file.
    """
    figure = Figure(figsize=(13, max(4, 1 + 0.2 * len(layers))))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (3, 2)})
    classes = list(next(iter(forms.values())).get("by_class", []))
    positions, width = np.arange(len(classes)), 0.8 / len(forms)
    for number, (name, figures) in enumerate(forms.items()):
        left.bar(positions + number * width, [100 * figures["by_class"][c] for c in classes], width, label=name)
    left.set_xticks(positions + 0.4 - width / 2, classes, rotation=45, ha="right")
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
    return pictures.png(figure, dpi=120)
