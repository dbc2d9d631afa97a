"""Predictions for audio files."""

from collections.abc import Sequence

import numpy as np

from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun


def predict(
    run: TrainedRun, files: Sequence[str], *, form: str = "float"
) -> tuple[dict[str, np.ndarray], list[UserError]]:
    """Probabilities of every segment of audio files.

    Args:
        run: The run.
        files: Audio files of any rate, length and channel count.
        form: Form of the run that computes them, see TrainedRun.form.

    Returns:
        (segments, classes) probabilities by file, and the errors of the files that could not be read.
    """
    run.form(form)  # what is wrong with the run is no error of a file
    predictions, errors = {}, []
    for file in files:
        try:
            predictions[file] = run.predict(file, form=form)
        except UserError as error:
            errors.append(error)
    return predictions, errors
