"""Forms of a trained run: float network, quantised network, TFLite files, C front end.

Forms that need packages above this one are listed by the name of their function and imported when they are used.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from asc_tf import build
from asc_tf.errors import UserError, nearest
from asc_tf.runs import layout, products
from asc_tf.runs.folder import RunFolder
from asc_tf.tflite.file import TFLiteModel


class Run(Protocol):
    """What the functions of this module need of a TrainedRun."""

    path: Path
    folder: RunFolder
    network: keras.Model


@dataclass(frozen=True)
class Form:
    """One executable form of a trained run.

    Args:
        logits: Function from a batch to (batch, classes) logits.
        takes_waves: Whether a batch is waves (batch, samples), else inputs of the network
            (batch, bands, frames, channels).
    """

    logits: Callable[[Any], Any]
    takes_waves: bool = False

    def __call__(self, batch: Any) -> np.ndarray:
        """Logits (batch, classes) of a batch."""
        return np.asarray(self.logits(batch))


def load(run: Run, name: str) -> Form:
    """Loads one form of a run.

    Args:
        run: The run.
        name: A key of FORMS.

    Raises:
        UserError: There is no such form, or the run has no file of it.
    """
    if name not in FORMS:
        raise UserError(f"there is no form '{name}' of a run. {nearest(name, FORMS)}")
    if run.folder.has(layout.UNTRAINED):
        raise UserError(f'{run.path}: its head is not trained; train a recipe that has [init] run = "{run.path}".')
    file, made_by, function = FORMS[name]
    if not run.folder.has(file):
        raise UserError(f"{run.path / file}: is missing; {made_by}.")
    module, _, attribute = function.partition(":")
    return getattr(importlib.import_module(module), attribute)(run)


def available(run: Run) -> list[str]:
    """Names of the forms whose file is in the run.

    Raises:
        UserError: A file that the run describes is missing.
    """
    return [name for name, (file, *_) in FORMS.items() if products.has(run.folder, file)]


def float_network(run: Run) -> Form:
    """The float Keras network."""
    return Form(build.forward(run.network))


def int8_file(run: Run) -> Form:
    """The int8 TFLite file."""
    return Form(TFLiteModel(products.read(run.folder, layout.INT8)))


def float16_file(run: Run) -> Form:
    """The TFLite file with weights in float16."""
    return Form(TFLiteModel(products.read(run.folder, layout.FLOAT16)))


def wave_file(run: Run) -> Form:
    """The TFLite file that takes the waveform."""
    return Form(TFLiteModel(products.read(run.folder, layout.WAVE)), takes_waves=True)


_EXPORT = "make it with asc-tf export tflite"

# name -> (file that it needs, what makes that file, function that loads it)
FORMS = {
    "float": (layout.BEST_WEIGHTS, "train the run to its end first", "asc_tf.inference.forms:float_network"),
    "quantised": (
        layout.QAT_STATE, 'train with [quantise] method = "qat"', "asc_tf.export.quantisation.run:quantised_network"
    ),
    "tflite": (layout.INT8, _EXPORT, "asc_tf.inference.forms:int8_file"),
    "float16_tflite": (layout.FLOAT16, f"{_EXPORT} RUN --float16", "asc_tf.inference.forms:float16_file"),
    "wave_tflite": (layout.WAVE, _EXPORT, "asc_tf.inference.forms:wave_file"),
    "c": (layout.INT8, _EXPORT, "asc_tf.export.device.c_form:c_front_end"),
}  # fmt: skip
