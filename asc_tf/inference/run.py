"""A trained run: its network, front end and labels, predictions and embeddings."""

import functools
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from asc_tf import build, dataset, metrics
from asc_tf.data import audio
from asc_tf.distillation import embedding
from asc_tf.errors import UserError
from asc_tf.inference import forms as run_forms
from asc_tf.inference import sounds
from asc_tf.inference.scorer import Scorer, Scores
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import device_runs
from asc_tf.runs.folder import RunFolder


class TrainedRun:
    """A trained run in all its forms. Network, front end and forms are loaded when they are used first.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: RunFolder):
        self.folder = folder
        self._forms, self._scorers = {}, {}  # loaded and traced once

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

    @cached_property
    def devices(self) -> dict[str, "TrainedRun"]:
        """The runs of the networks of single recording devices, by device; none of a recipe without [per_device].

        Raises:
            UserError: They are not trained to their end, or damaged.
        """
        return {device: TrainedRun(own) for device, own in device_runs.load(self.folder).items()}

    def for_device(self, device: str) -> "TrainedRun":
        """The run whose network is for sounds of a recording device: this one where the device has none.

        Args:
            device: Name of the device.

        Raises:
            UserError: The run has no networks of devices.
        """
        if not self.devices:
            raise UserError(
                f"{self.path}: has no networks of devices (its recipe has no [per_device]); name no device."
            )
        return self.devices.get(device, self)

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
            UserError: There is no such form, or the run has no file of it or a damaged one.
        """
        if name not in self._forms:
            self._forms[name] = run_forms.load(self, name)
            if not self._forms[name].takes_waves:
                _ = self.front_end  # what is wrong with the run's files is found here, not with the first sound
        return self._forms[name]

    def predict(
        self,
        sound: np.ndarray | str | Path,
        sample_rate_hz: int | None = None,
        *,
        form: str = "float",
        hop_s: float | None = None,
    ) -> np.ndarray:
        """Probabilities of every segment of a sound. A file is read block by block, whatever its length.

        Args:
            sound: An audio file, or samples (samples,) or (samples, channels), full scale 1. Channels are averaged
                and the rate converted to the run's, as in training.
            sample_rate_hz: Of samples; files have their own.
            form: Form of the run that computes them, as in `form`.
            hop_s: Seconds between the starts of segments; by default they follow each other.

        Returns:
            (segments, classes) float64. A segment of which less than half is sound is dropped, others are filled with
            zeros. The mean over the segments is the prediction for the whole sound.

        Raises:
            UserError: The file cannot be read; samples are integers, empty or not finite, or their rate is missing.
        """
        return sounds.score_sound(self.scorer(form), sound, sample_rate_hz, hop_s=hop_s).probabilities

    def embeddings(
        self,
        sound: np.ndarray | str | Path,
        sample_rate_hz: int | None = None,
        *,
        layer: str | None = None,
        hop_s: float | None = None,
    ) -> np.ndarray:
        """Embeddings of every segment of a sound: the output of a layer, averaged over bands and frames.

        Args:
            sound: As for `predict`.
            sample_rate_hz: As for `predict`.
            layer: Name of a layer of the network; by default the input of its head, the first layer whose weights
                depend on the number of classes.
            hop_s: As for `predict`.

        Returns:
            (segments, size) float32.

        Raises:
            UserError: As `predict`, or the network has no such layer.
        """
        return sounds.score_sound(self._scorer("float", True, layer), sound, sample_rate_hz, hop_s=hop_s).embeddings

    def scorer(self, form: str = "float", *, embeddings: bool = False, layer: str | None = None) -> Scorer:
        """The run as a function from windows to probabilities, and embeddings where they are asked for.

        Args:
            form: As for `predict`.
            embeddings: Whether to compute embeddings too, which the float network alone has.
            layer: As for `embeddings`.

        Raises:
            UserError: There is no such form or layer, or the form has no embeddings.
        """
        if embeddings and form != "float":
            raise UserError(f"{self.path}: its form '{form}' has no embeddings, only its float network has them.")
        self.form(form)
        return self._scorer(form, embeddings, layer)

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
            samples, rate_hz = sounds.checked_samples(sound, sample_rate_hz), sample_rate_hz
        to_hz = dataset.sample_rate_hz(self.recipe)
        return audio.cut(audio.resample(samples, rate_hz, to_hz), to_hz, self.recipe.data.segment_s)

    def _scorer(self, form, embeddings, layer):
        """As `scorer`, also of a run whose head is not trained."""
        key = form, embeddings, layer
        if key not in self._scorers:
            outputs = self._with_embeddings(layer) if embeddings else self.form(form)
            self._scorers[key] = Scorer(
                functools.partial(self._scores, self._inputs(outputs), outputs, embeddings),
                self.labels,
                (dataset.sample_rate_hz(self.recipe),),
                self.recipe.data.segment_s,
            )
        return self._scorers[key]

    def _inputs(self, outputs):
        """Function from waves to what a function of outputs takes, traced once for all batch sizes."""
        if getattr(outputs, "takes_waves", False):
            return lambda wave: wave
        signature = [tf.TensorSpec((None, dataset.segment_samples(self.recipe)), tf.float32)]
        return tf.function(self.front_end, input_signature=signature)

    def _scores(self, inputs, outputs, embeddings, waves):
        (wave,) = waves
        logits, *vectors = outputs(inputs(wave)) if embeddings else [outputs(inputs(wave))]
        probabilities = metrics.probabilities(logits, multi_label=dataset.multi_label(self.recipe))
        return Scores(probabilities, *map(np.asarray, vectors))

    def _with_embeddings(self, layer):
        """Function from inputs of the float network to logits and embeddings."""
        if layer:
            vectors = embedding.output(self.network, layer, "layer")
        else:
            head = build.head_layers(self.recipe, self.network)[0]
            vectors = embedding.pooled(self.network.get_layer(head).input)
        return build.forward(keras.Model(self.network.inputs, [self.network.output, vectors]))
