"""What does every form of a run say of the same clips: Keras, quantised Keras, TFLite files, C front end?"""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from asc_tf import build, tflite_file
from asc_tf.data import batches
from asc_tf.errors import UserError
from export import micro, qat, quantise
from export.twin import twin

# name in the table: file in the run
FILES = {"int8": quantise.FILE, "float16": quantise.FLOAT16, "waveform": quantise.WAVE}


def outputs(run, data):
    """{form: (clips, classes) logits} of the test split, the float network first."""
    source = build.source(run.recipe, data, data.test)
    spectrograms = build.evaluation_batches(run, source)
    found = {"float": build.outputs(build.forward(quantise.trained(run)), spectrograms)}
    if run.has(quantise.STATE):
        found["qat"] = build.outputs(build.forward(_quantised(run, spectrograms)), spectrograms)
    for name, file in FILES.items():
        if run.has(file):
            heard = _waves(source) if name == "waveform" else spectrograms
            found[name] = build.outputs(tflite_file.Network(run.path / file), heard)
    if run.has(quantise.FILE) and shutil.which("gcc"):
        try:
            found["C front end"] = _with_c(run, source)
        except UserError as error:
            print(f"no C front end: {error}", flush=True)
    return found


def _quantised(run, spectrograms):
    """The quantised network as it was when the int8 file was made of it; the ranges of any clips are replaced."""
    calibration = [np.asarray(next(iter(spectrograms)))[: qat.SLICE]]
    network = qat.quantise(twin(quantise.trained(run)), calibration, run.recipe.quantise.float_layers)
    saved = run.read_arrays(quantise.STATE)
    qat.restore(network, qat.optimizer(network), {key: value for key, value in saved.items() if key != "losses"})
    return network


def _waves(source):
    return batches.evaluation(source, batches.CHUNK).map(lambda batch: batch["wave"])


def _with_c(run, source):
    """(clips, classes) logits of the int8 file behind the front end in C, compiled here."""
    network = tflite_file.Network(run.path / quantise.FILE)
    with tempfile.TemporaryDirectory() as folder:
        micro.export(run, folder)
        library = Path(folder) / "features.so"
        command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), f"{folder}/asc_tf_features.c", "-lm"]
        subprocess.run(command, check=True)
        features = ctypes.CDLL(str(library)).asc_tf_features
    return build.outputs(lambda waves: network(_spectrograms(features, waves, network.input_shape)), _waves(source))


def _spectrograms(features, waves, shape):
    """(clips, bands, frames, channels) of (clips, samples), clip by clip."""
    waves = np.ascontiguousarray(waves, np.float32)
    found = np.empty((len(waves), *shape), np.float32)
    pointer = ctypes.POINTER(ctypes.c_float)
    for wave, spectrogram in zip(waves, found, strict=True):
        features(wave.ctypes.data_as(pointer), spectrogram.ctypes.data_as(pointer))
    return found
