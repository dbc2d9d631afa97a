"""A trained run: its network, front end and labels, predictions and embeddings."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from asc_tf import build, dataset, metrics
from asc_tf.data import audio, batches
from asc_tf.distillation import embedding
from asc_tf.errors import UserError
from asc_tf.inference import forms as run_forms
from asc_tf.recipe.schema import Recipe
from asc_tf.runs.folder import RunFolder


class TrainedRun:
    """A trained run in all its forms. Network, front end and forms are loaded when they are used first.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: RunFolder):
        self.folder = folder
        self._forms, self._embeddings = {}, {}  # loaded and traced once: by form, by layer

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @property
    def recipe(self) -> Recipe:
        """The run's resolved recipe."""
        return self.folder.recipe

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the network's outputs."""
        return self.folder.labels

    @cached_property
    def network(self) -> keras.Model:
        """The float network with its best weights: (batch, bands, frames, channels) to (batch, classes) logits.

        Raises:
            UserError: The run has no weights yet.
        """
        return build.load_network(self.folder)

    @cached_property
    def front_end(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Function from waves (batch, samples) to inputs of the network, normalised as in training."""
        return build.network_input(self.folder)

    @property
    def forms(self) -> list[str]:
        """Names of the forms that the run has."""
        return run_forms.available(self)

    def form(self, name: str) -> run_forms.Form:
        """One executable form of the run.

        Args:
            name: "float", the Keras network; "quantised", the network of quantisation-aware training; "tflite", the
                int8 file; "float16_tflite"; "wave_tflite", the file that takes the waveform; "c", the int8 file behind
                the front end in C, compiled by gcc.

        Returns:
            A function from batches to logits; its attribute `takes_waves` says from which.

        Raises:
            UserError: There is no such form, or the run has no file of it.
        """
        if name not in self._forms:
            self._forms[name] = run_forms.load(self, name)
        return self._forms[name]

    def predict(
        self, sound: np.ndarray | str | Path, sample_rate_hz: int | None = None, *, form: str = "float"
    ) -> np.ndarray:
        """Probabilities of every segment of a sound.

        Args:
            sound: An audio file, or samples (samples,) or (samples, channels), full scale 1. Channels are averaged
                and the rate converted to the run's, as in training.
            sample_rate_hz: Of samples; files have their own.
            form: Form of the run that computes them, as in `form`.

        Returns:
            (segments, classes) float64. A rest shorter than half a segment is dropped, a longer one filled with
            zeros. The mean over the segments is the prediction for the whole sound.

        Raises:
            UserError: The file cannot be read; samples are integers, empty or not finite, or their rate is missing.
        """
        scorer = self.form(form)
        waves = tf.data.Dataset.from_tensor_slices(self.segments(sound, sample_rate_hz)).batch(batches.CHUNK)
        inputs = waves if scorer.takes_waves else waves.map(self.front_end)
        return metrics.probabilities(build.outputs(scorer, inputs), multi_label=dataset.multi_label(self.recipe))

    def embeddings(
        self, sound: np.ndarray | str | Path, sample_rate_hz: int | None = None, *, layer: str | None = None
    ) -> np.ndarray:
        """Embeddings of every segment of a sound: the output of a layer, averaged over bands and frames.

        Args:
            sound: As for `predict`.
            sample_rate_hz: As for `predict`.
            layer: Name of a layer of the network; by default the input of its head, the first layer whose weights
                depend on the number of classes.

        Returns:
            (segments, size) float32.

        Raises:
            UserError: As `predict`, or the network has no such layer.
        """
        waves = tf.data.Dataset.from_tensor_slices(self.segments(sound, sample_rate_hz)).batch(batches.CHUNK)
        if layer not in self._embeddings:
            self._embeddings[layer] = build.forward(self._embedding_network(layer))
        return build.outputs(self._embeddings[layer], waves.map(self.front_end))

    def segments(self, sound: np.ndarray | str | Path, sample_rate_hz: int | None = None) -> np.ndarray:
        """Segments of a sound as the front end takes them.

        Unlike prepared clips they are not rounded to 16 bits: quiet recordings of 24 bits lose by that. CP-JKU's
        network of 2023 then decides 48 instead of 50 of the 50 seconds of TUT scenes (peaks of 0.015 to 0.057) as
        its original does.

        Args:
            sound: As for `predict`.
            sample_rate_hz: As for `predict`.

        Returns:
            (segments, samples) float32 at the run's sample rate.
        """
        if isinstance(sound, str | Path):
            samples, rate_hz = audio.read(sound)
        else:
            samples, rate_hz = _checked(sound), sample_rate_hz
            if rate_hz is None:
                raise UserError("samples need their sample_rate_hz; only files have their own.")
        to_hz = dataset.sample_rate_hz(self.recipe)
        return audio.cut(audio.resample(samples, rate_hz, to_hz), to_hz, self.recipe.data.segment_s)

    def _embedding_network(self, layer):
        if layer:
            return keras.Model(self.network.inputs, embedding.output(self.network, layer, "layer"))
        head = build.head_layers(self.recipe, self.network)[0]
        return keras.Model(self.network.inputs, embedding.pooled(self.network.get_layer(head).input))


def _checked(samples):
    """Mono float32 samples.  Raises UserError where they are no sound."""
    if np.issubdtype(np.asarray(samples).dtype, np.integer):
        raise UserError("samples must be floats, full scale 1; divide 16-bit integers by 32768.")
    samples = np.asarray(samples, np.float32)
    if samples.ndim == 2:
        samples = samples.mean(axis=1, dtype=np.float32)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise UserError("samples must be (samples,) or (samples, channels), at least one, all of them finite.")
    return samples
