"""Online teachers: their outputs are computed in every step, on the student's augmented batch.

Source: the DCASE 2024 system of CP-JKU's authors, whose teachers see the student's augmented batch.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from asc_tf import build
from asc_tf.distillation import embedding
from asc_tf.inference.run import TrainedRun
from asc_tf.runs.folder import RunFolder


def online_teachers(
    run: RunFolder,
    members: Sequence[tuple[TrainedRun, str | None]],
    combine: Callable[[keras.KerasTensor], keras.KerasTensor] | None = lambda logits: ops.mean(logits, axis=1),
) -> Callable[[keras.KerasTensor], dict[str, keras.KerasTensor]]:
    """A function from inputs of the student's network to the outputs of its teachers.

    Args:
        run: The student's run.
        members: Every teacher run with the layer of its embedding, or None. Their recipes have the [feature] of the
            student, which dry_run.check makes sure of. Their weights are not trained.
        combine: Function from (batch, members, classes) logits to (batch, classes), by default the mean; None for
            embeddings alone.

    Returns:
        Function from (batch, bands, frames, channels) to {"teacher": (batch, classes) logits where they are combined,
        and "embedding": (batch, sum of sizes) where members have layers}.
    """
    teachers = [_teacher(run, *member) for member in members]

    def outputs(spectrograms):
        of_members = [teacher(spectrograms) for teacher in teachers]
        embeddings = [member["embedding"] for member in of_members if "embedding" in member]
        targets = {"embedding": ops.concatenate(embeddings, axis=-1)} if embeddings else {}
        if combine:
            logits = ops.stack([member["logits"] for member in of_members], axis=1)  # (batch, members, classes)
            targets["teacher"] = combine(logits)
        return targets

    return outputs


def _teacher(run, teacher, layer):
    """A function from spectrograms, normalised as the run's, to the teacher's {"logits", "embedding"}."""
    teacher.network.trainable = False
    heads = embedding.with_embedding(teacher.network, layer, f"teacher.{teacher.recipe.name}.layer")
    renormalise = _renormaliser(run, teacher.folder)
    return lambda spectrograms: heads(renormalise(spectrograms), training=False)


def _renormaliser(run, teacher):
    """A function that undoes the [normalise] of a run and applies its teacher's; the identity where they are equal."""
    ours, theirs = _normalisation(run), _normalisation(teacher)
    slope = ours["std"] / theirs["std"]
    shift = (ours["mean"] - theirs["mean"]) / theirs["std"]
    if (slope == 1).all() and (shift == 0).all():
        return lambda x: x
    slope, shift = slope.astype(np.float32), shift.astype(np.float32)
    return lambda x: x * slope + shift


def _normalisation(run):
    return {key: np.asarray(value, np.float64) for key, value in build.normalisation(run).items()}
