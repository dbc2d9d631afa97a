"""The C form of a run: its front end in plain C, compiled here by gcc, before the int8 file."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from asc_tf.errors import UserError
from asc_tf.export.device import micro_sources
from asc_tf.inference.forms import Form
from asc_tf.inference.run import TrainedRun
from asc_tf.tflite.file import TFLiteModel


def c_front_end(run: TrainedRun) -> Form:
    """The int8 file behind the front end in C.

    Raises:
        UserError: gcc is not installed, or the front end has no form in C.
    """
    if not shutil.which("gcc"):
        raise UserError("gcc is not installed, which compiles the front end in C.")
    network, features = run.form("tflite").logits, _compile(run)
    return Form(lambda waves: network(_spectrograms(features, waves, network)), takes_waves=True)


def _compile(run: TrainedRun) -> Callable:
    """The C function asc_tf_features of the run."""
    with tempfile.TemporaryDirectory() as folder:
        micro_sources.export(run.folder, folder)
        library = Path(folder) / "features.so"
        command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), f"{folder}/asc_tf_features.c", "-lm"]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(library)).asc_tf_features  # loaded: the file is not needed any more


def _spectrograms(features: Callable, waves: np.ndarray, network: TFLiteModel) -> np.ndarray:
    """(clips, bands, frames, channels) of (clips, samples), clip by clip."""
    waves = np.ascontiguousarray(waves, np.float32)
    spectrograms = np.empty((len(waves), *network.input_shape), np.float32)
    pointer = ctypes.POINTER(ctypes.c_float)
    for wave, spectrogram in zip(waves, spectrograms, strict=True):
        features(wave.ctypes.data_as(pointer), spectrogram.ctypes.data_as(pointer))
    return spectrograms
