"""Predictions of audio files, folders and patterns, as an iterator."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from asc_tf.data import sound_files
from asc_tf.errors import printable
from asc_tf.inference import sounds
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.sounds import Prediction
from asc_tf.inference.system import TrainedSystem


def predict_files(
    run: TrainedRun | TrainedSystem,
    names: Sequence[str | Path],
    *,
    form: str = "float",
    hop_s: float | None = None,
    embeddings: bool = False,
) -> Iterator[Prediction]:
    """Probabilities, and embeddings where they are asked for, of many audio files, in batches of several files.

    A line on stderr counts what folders and patterns have beside audio files that are read.

    Args:
        run: A trained run or a system of several.
        names: Files of any rate, length and channel count, folders with files anywhere below them, and patterns such
            as "recordings/*.wav".
        form: Form of the run that computes them, as of TrainedRun.form.
        hop_s: Seconds between the starts of windows, 0.01 to 3600; by default they follow each other.
        embeddings: Whether to compute the embeddings of TrainedRun.embeddings too; of a system, the members' side by
            side.

    Yields:
        A Prediction of every file, with all its windows, in order. Its `error` is None, or why the file cannot be read.

    Raises:
        UserError: The run has no such form, or the form no embeddings.
    """
    scorer, files = run.scorer(form, embeddings=embeddings), sound_files.find(names)
    if files.summary:
        print(printable(files.summary), file=sys.stderr)
    yield from sounds.by_file(sounds.score_files(scorer, files, hop_s=hop_s))
