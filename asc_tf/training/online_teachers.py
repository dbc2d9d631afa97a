"""What do finished teachers say of the very spectrogram that their student hears?

Source: the DCASE 2024 system of CP-JKU's authors, whose teachers see the student's augmented batch.
"""

import keras
import numpy as np
from keras import ops

from asc_tf import build
from asc_tf.distillation import embedding


def teachers(run, members, combine=lambda logits: ops.mean(logits, axis=1)):
    """A function from batches of what the run's network hears to {"teacher", "embedding 0", ...} of its teachers.

    members: (teacher's run, its network with the chosen weights, layer of its embedding or None) of every teacher,
             with the [feature] of the run, which fitting.check makes sure of.  They never learn here.
    combine: (batch, members, classes) logits to the one teacher's (batch, classes); their mean by default.
    """
    asked = [_asked(run, *member) for member in members]

    def live(spectrograms):
        answers = [ask(spectrograms) for ask in asked]
        logits = ops.stack([answer["logits"] for answer in answers], axis=1)
        embeddings = [answer["embedding"] for answer in answers if "embedding" in answer]
        return {"teacher": combine(logits)} | {f"embedding {place}": made for place, made in enumerate(embeddings)}

    return live


def _asked(run, teachers_run, network, layer):
    """A function from spectrograms as the run normalises them to the teacher's {"logits", "embedding"}."""
    network.trainable = False
    outputs = {"logits": network.output}
    if layer:
        outputs["embedding"] = embedding.output(network, layer, f"teacher.{teachers_run.recipe.name}.layer")
    heads, renormalised = keras.Model(network.input, outputs), _renormalised(run, teachers_run)
    return lambda spectrograms: heads(renormalised(spectrograms), training=False)


def _renormalised(run, teachers_run):
    """A function that undoes the [normalise] of a run and does its teacher's; none at all where they are the same."""
    own, teachers = _numbers(run), _numbers(teachers_run)
    slope = own["std"] / teachers["std"]
    shift = (own["mean"] - teachers["mean"]) / teachers["std"]
    if (slope == 1).all() and (shift == 0).all():
        return lambda x: x
    slope, shift = slope.astype(np.float32), shift.astype(np.float32)
    return lambda x: x * slope + shift


def _numbers(run):
    return {key: np.asarray(value, np.float64) for key, value in build.normalisation(run).items()}
