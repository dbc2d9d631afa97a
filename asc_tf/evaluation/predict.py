"""`python -m asc_tf.predict RUN FILE ...`: which scene is this, second by second and as a whole?"""

import argparse
import json
import sys
from pathlib import Path

from asc_tf import command_line
from asc_tf.runs import folder as run_folder


def predict(run, files, *, tflite=False):
    """{file: (seconds, classes) probabilities}; the file's own are their mean.

    A file that cannot be read raises UserError after the others were predicted.
    """
    import tensorflow as tf

    from asc_tf import build, dataset
    from asc_tf.data import batches
    from asc_tf.errors import UserError
    from asc_tf.metrics import scores as metrics

    scorer = model(run, tflite=tflite)
    to_input = build.network_input(run)
    found, unreadable = {}, []
    for file in files:
        try:
            waves = build.waves(run.recipe, file)
        except UserError as error:
            unreadable.append(str(error))
            continue
        slices = tf.data.Dataset.from_tensor_slices(waves).batch(batches.CHUNK).map(to_input)
        found[file] = metrics.probabilities(build.outputs(scorer, slices), multi_label=dataset.multi_label(run.recipe))
    return found, unreadable


def model(run, *, tflite):
    """What gives logits: the run's float network, or its int8 file."""
    from asc_tf import build
    from asc_tf.tflite import file as tflite_file
    from asc_tf.training import callbacks as epochs

    if not tflite:
        return build.forward(epochs.load_best(run, build.network(run.recipe, len(run.labels))))
    return tflite_file.TFLiteModel(run.path / "export/model.tflite")
