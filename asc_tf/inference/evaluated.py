"""What an evaluation left in a run: scores, and the probabilities that they were computed from."""

from typing import Any

import numpy as np

from asc_tf import metrics
from asc_tf.errors import UserError
from asc_tf.runs import layout, products
from asc_tf.runs.folder import RunFolder


def read(run: RunFolder) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """Reads the two files of an evaluation, which belong to each other and to the networks that the run has now.

    Args:
        run: The run.

    Returns:
        scores: Content of metrics.json.
        tested: Content of predictions.npz: segments, recordings, labels, and probabilities by form.

    Raises:
        UserError: The run is not evaluated, or its files are of different evaluations or networks.
    """
    for name in (layout.METRICS, layout.PREDICTIONS):
        if not run.has(name):
            raise UserError(f"{run.path / name}: is missing; run `asc-tf evaluate {run.path}` first.")
    scores, tested = products.scores(run), run.read(layout.PREDICTIONS)
    for form, of_form in scores.items() if tested["labels"].ndim == 1 else ():
        loss = metrics.log_loss(tested["labels"], tested[form]) if form in tested else np.nan
        if not np.isclose(loss, of_form["log_loss"], rtol=1e-3, atol=1e-4):
            raise UserError(
                f"{run.path}: {layout.PREDICTIONS} and {layout.METRICS} are of different evaluations; "
                f"run `asc-tf evaluate {run.path}` again."
            )
    return scores, tested
