"""Predictions of a wave_to_scene.tflite and the model.json beside it, without TensorFlow where LiteRT is installed."""

import functools
import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from asc_tf import metrics
from asc_tf.data import decoding
from asc_tf.errors import UserError
from asc_tf.inference import sounds
from asc_tf.inference.scorer import Scorer, Scores
from asc_tf.runs import files, layout
from asc_tf.tflite import interpreter, trial

LONGEST_S = 3600  # of a segment
FIX = files.of(layout.METADATA).fix
# What is read of the JSON file.
DESCRIPTION = files.tree_like(
    {"labels": [str], "segment_s": files.NUMBER, "feature": {"sample_rate_hz": int}}
)  # fmt: skip
METADATA = Path(layout.METADATA).name  # written beside the file by `asc-tf export tflite`


class WaveFile:
    """A TFLite file that takes the waveform, as `asc-tf export tflite` writes it.

    Args:
        file: The file; its labels, rate and segment length are read from the model.json beside it.

    Raises:
        UserError: One of the two files is absent or damaged, or the network does not take a waveform.
    """

    def __init__(self, file: str | Path):
        self.path = Path(file)
        tree = self._metadata()
        self.labels, self.sample_rate_hz = tuple(tree["labels"]), tree["feature"]["sample_rate_hz"]
        self.segment_s, self._sha256 = tree["segment_s"], tree.get("wave_to_scene_sha256")
        if not (
            decoding.RATES_HZ[0] <= self.sample_rate_hz <= decoding.RATES_HZ[1] and 0 < self.segment_s <= LONGEST_S
        ):
            raise UserError(f"{self.path.with_name(METADATA)}: its rate or segment length is no such number. {FIX}")

    def predict(self, file: str | Path) -> np.ndarray:
        """Probabilities of every segment of an audio file.

        Args:
            file: An audio file of any rate, length and channel count.

        Returns:
            (segments, classes) float64, as of TrainedRun.predict with form="wave_tflite".

        Raises:
            UserError: The file cannot be read.
        """
        return sounds.score_sound(self.scorer(), file).probabilities

    def scorer(self, form: str = "wave_tflite", *, embeddings: bool = False) -> Scorer:
        """The file as a function from windows to probabilities.

        Args:
            form: "wave_tflite", the only form of such a file.
            embeddings: Whether to compute embeddings too, which the file does not have.

        Raises:
            UserError: Another form or embeddings are asked for, or the network does not take a waveform.
        """
        if form != "wave_tflite" or embeddings:
            wanted = "embeddings" if embeddings else f"form '{form}'"
            raise UserError(f"{self.path}: a .tflite file has no {wanted}; name the run folder.")
        return Scorer(functools.partial(_scores, self._network), self.labels, (self.sample_rate_hz,), self.segment_s)

    @cached_property
    def _network(self):
        """Function from "wave" (1, samples) to {"logits": (1, classes)}."""
        try:
            content = self.path.read_bytes()
            self._check(content)
            network = interpreter.create(content).get_signature_runner()
            ends = network.get_input_details() | network.get_output_details()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be opened ({error.strerror}).") from error
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{self.path}: TFLite cannot run it: {str(error).splitlines()[0]}") from error
        if set(ends) != {"wave", "logits"}:
            raise UserError(
                f"{self.path}: has no input 'wave' and output 'logits'; name the wave_to_scene.tflite that "
                "`asc-tf export tflite RUN` writes, or the run folder."
            )
        shapes = {name: tuple(end["shape"]) for name, end in ends.items()}
        if shapes != {"wave": (1, round(self.sample_rate_hz * self.segment_s)), "logits": (1, len(self.labels))}:
            raise UserError(f"{self.path}: has other sizes than {METADATA} beside it; one of them changed. {FIX}")
        return network

    def _check(self, content):
        """Raises UserError unless the file is that of the export, or a trial shows that TFLite can run it."""
        if self._sha256 is None:
            trial.check(content, self.path)
        elif hashlib.sha256(content).hexdigest() != self._sha256:
            raise UserError(f"{self.path}: is not the file that {METADATA} beside it describes. {FIX}")

    def _metadata(self) -> Any:
        file = self.path.with_name(METADATA)
        if not self.path.is_file():
            raise UserError(f"{self.path}: there is no such file.")
        try:
            return DESCRIPTION(file.read_bytes())
        except FileNotFoundError as error:
            raise UserError(f"{file}: is missing; it has the classes' names, keep it beside the file.") from error
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror}).") from error
        except files.DAMAGE as error:
            raise UserError(f"{file}: is damaged ({error}). {FIX}") from error


def _scores(network, waves):
    logits = [network(wave=wave[np.newaxis])["logits"] for wave in waves[0]]
    return Scores(metrics.softmax(np.concatenate(logits)))
