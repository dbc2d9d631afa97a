"""Predictions for audio files."""

from collections.abc import Callable, Sequence

import numpy as np

from asc_tf.errors import UserError


def predict(score: Callable[[str], np.ndarray], files: Sequence[str]) -> tuple[dict[str, np.ndarray], list[UserError]]:
    """Probabilities of every segment of audio files.

    Args:
        score: Function from a file to probabilities (segments, classes), such as TrainedRun.predict.
        files: Audio files of any rate, length and channel count.

    Returns:
        (segments, classes) probabilities by file, and the errors of the files that could not be read.
    """
    predictions, errors = {}, []
    for file in files:
        try:
            predictions[file] = score(file)
        except UserError as error:
            errors.append(error)
    return predictions, errors
