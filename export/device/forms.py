"""What does every form of a run say of the same clips: Keras, quantised Keras, TFLite files, C front end?"""

import contextlib
import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from asc_tf import build
from asc_tf.data import batches
from asc_tf.errors import UserError
from asc_tf.runs import layout as files
from asc_tf.tflite import file as tflite_file
from export.device import micro_sources as micro
from export.quantisation import run as quantise

# name in the table: file in the run
FILES = {"int8": files.INT8, "float16": files.FLOAT16, "waveform": files.WAVE}
ALL = ("float", "qat", *FILES, "C front end")


def outputs(run, data, names=ALL):
    """{form: (clips, classes) logits} of the test split, in the order of the names, where the run has them."""
    source = build.source(run.recipe, data, data.test)
    waves = batches.evaluation(source, batches.CHUNK).map(lambda batch: batch["wave"])
    heard = tf.data.Dataset.zip(waves, build.evaluation_batches(run, source, batches.CHUNK))
    with contextlib.ExitStack() as stack:
        forms = {name: form for name in names if (form := _form(run, name, stack))}
        found = {name: [] for name in forms}
        for wave, spectrogram in heard:
            for name, (logits, takes_waves) in forms.items():
                found[name].append(np.asarray(logits(wave if takes_waves else spectrogram)))
    return {name: np.concatenate(logits) for name, logits in found.items()}


def _form(run, name, stack):
    """(what gives logits, whether it takes waves instead of spectrograms), or None where the run has it not."""
    if name == "float":
        return build.forward(quantise.trained(run)), False
    if name == "qat":
        return (build.forward(quantise.trained_in_8_bits(run)), False) if run.has(files.STATE) else None
    if name == "C front end":
        return _with_c(run, stack)
    file = FILES[name]
    return (tflite_file.TFLiteModel(run.path / file), name == "waveform") if run.has(file) else None


def _with_c(run, stack):
    """The int8 file behind the front end in C, compiled here into a folder that the stack removes."""
    if not (run.has(files.INT8) and shutil.which("gcc")):
        return None
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    try:
        micro.export(run, folder)
    except UserError as error:
        print(f"no C front end: {error}", flush=True)
        return None
    library = Path(folder) / "features.so"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), f"{folder}/asc_tf_features.c", "-lm"]
    subprocess.run(command, check=True)
    features, network = ctypes.CDLL(str(library)).asc_tf_features, tflite_file.TFLiteModel(run.path / files.INT8)
    return lambda waves: network(_spectrograms(features, waves, network.input_shape)), True


def _spectrograms(features, waves, shape):
    """(clips, bands, frames, channels) of (clips, samples), clip by clip."""
    waves = np.ascontiguousarray(waves, np.float32)
    found = np.empty((len(waves), *shape), np.float32)
    pointer = ctypes.POINTER(ctypes.c_float)
    for wave, spectrogram in zip(waves, found, strict=True):
        features(wave.ctypes.data_as(pointer), spectrogram.ctypes.data_as(pointer))
    return found
