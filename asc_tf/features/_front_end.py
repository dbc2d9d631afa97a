"""Layer of the magnitude spectrograms: decibels, a fixed number of frames and deltas after a transform without state.

Source:  librosa.amplitude_to_db 0.11 with ref 1 and amin 1e-5: -100 dB is the floor.
Input:   wave (batch, samples), full scale 1.   Output: (batch, bands, frames, 1 or 3).

NaN and infinity in a clip stay in that clip, as NaN or infinity.
"""

import dataclasses
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _delta

Scale = Literal["magnitude", "db"]
FLOOR_DB = -100.0


class Transform:
    """Base of the transforms from waves to magnitudes: a frozen dataclass of settings, `bands` among them."""

    slice_clips: ClassVar[int]  # clips that are transformed at once
    bands: int

    def __call__(self, wave: tf.Tensor) -> tf.Tensor:
        """(batch, samples) float32 to magnitudes (batch, bands, frames) float32."""
        raise NotImplementedError

    def count(self, samples: int) -> int:
        """Number of frames of a clip of that length.  Raises UserError where it is too short."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The settings, for Keras."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Transform":
        """The transform of a `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable("asc_tf")
class FrontEnd(keras.layers.Layer):
    """wave (batch, samples) to (batch, bands, frames, channels) in float32 under any precision policy.

    Args:
        transform: From waves to magnitudes.
        scale: "magnitude", or "db" for decibels.
        top_db: Range of the decibels below each clip's maximum; 0 for no such limit.
        frames: See _delta.
        deltas: See _delta.
        name: Of the layer, and of the part in its errors.
        trainable: Without effect; for Keras.
        dtype: Of the outputs.

    Raises:
        UserError: Settings that do not fit together.
    """

    def __init__(
        self,
        transform: Transform,
        *,
        scale: Scale,
        top_db: float,
        frames: int,
        deltas: _delta.Deltas,
        name: str | None = None,
        trainable: bool = False,
        dtype: Any = "float32",
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        if top_db < 0 or frames < 0:
            raise UserError(f"features/{self.name}: top_db = {top_db} and frames = {frames} must be 0 (off) or more.")
        if top_db and scale != "db":
            raise UserError(f'features/{self.name}: top_db = {top_db} needs scale = "db".')
        self.transform, self.scale, self.top_db, self.frames, self.deltas = transform, scale, top_db, frames, deltas

    def call(self, wave: tf.Tensor) -> tf.Tensor:
        """(batch, samples) to (batch, bands, frames, channels)."""
        return _in_slices(self._slice, wave, self.transform.slice_clips, self.compute_output_shape(wave.shape))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Shape of the outputs.

        Args:
            input_shape: (batch, samples).

        Returns:
            (batch, bands, frames, channels).

        Raises:
            UserError: Clips too short for a frame or the deltas, or of no fixed length.
        """
        if len(input_shape) != 2 or input_shape[1] is None:
            raise UserError(f"features/{self.name}: needs waves (batch, samples) of a fixed length, not {input_shape}.")
        count = self.transform.count(input_shape[1])
        frames = _delta.output_frames(count, deltas=self.deltas, frames=self.frames)
        return (input_shape[0], self.transform.bands, frames, _delta.channels(self.deltas))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, the transform serialised."""
        return super().get_config() | {
            "transform": keras.saving.serialize_keras_object(self.transform),
            "scale": self.scale,
            "top_db": self.top_db,
            "frames": self.frames,
            "deltas": self.deltas,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FrontEnd":
        """The layer of a `get_config`."""
        return super().from_config(config | {"transform": keras.saving.deserialize_keras_object(config["transform"])})

    @property
    def silence(self) -> float:
        """The value of a cell without energy."""
        return FLOOR_DB if self.scale == "db" else 0.0

    def _slice(self, wave):
        spectrogram = self.transform(wave)  # (clips, bands, frames)
        if self.scale == "db":
            spectrogram = decibels(spectrogram, self.top_db)
        return _delta.with_deltas(spectrogram, deltas=self.deltas, frames=self.frames)


def _in_slices(function, wave, max_clips, shape):
    """`function` of (batch, samples), at most `max_clips` at a time: spectra of more would fill cache and memory.

    The slices are of equal size, the last filled up with silence. shape: of the outputs.
    """
    count, larger = (tf.shape(wave)[0], tf.maximum) if wave.shape[0] is None else (wave.shape[0], max)
    slices = larger((count + max_clips - 1) // max_clips, 1)
    size = larger((count + slices - 1) // slices, 1)
    filled = tf.pad(wave, [[0, slices * size - count], [0, 0]])
    signature = tf.TensorSpec((None, *shape[1:]), tf.float32)
    outputs = tf.map_fn(function, tf.reshape(filled, [slices, size, wave.shape[1]]), fn_output_signature=signature)
    return tf.ensure_shape(tf.reshape(outputs, [slices * size, *shape[1:]])[:count], shape)


def decibels(magnitude: tf.Tensor, top_db: float) -> tf.Tensor:
    """Magnitudes in dB of full scale.

    Args:
        magnitude: (batch, bands, frames).
        top_db: Range below each clip's maximum; 0 for no such limit.

    Returns:
        (batch, bands, frames), at least FLOOR_DB.
    """
    db = 20 / np.log(10) * tf.math.log(tf.maximum(magnitude, 10 ** (FLOOR_DB / 20)))
    return tf.maximum(db, tf.reduce_max(db, [1, 2], keepdims=True) - top_db) if top_db else db
