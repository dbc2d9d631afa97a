"""What do the magnitude spectrograms share: decibels, a fixed number of frames, deltas, as a layer without state?

Source:  librosa.amplitude_to_db 0.11 with ref 1 and amin 1e-5: -100 dB is the floor.
Input:   wave (batch, samples), full scale 1.   Output: (batch, bands, frames, 1 or 3).

NaN and infinity in a clip stay in that clip, as NaN or infinity: nothing here hides them.
"""

from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features import _delta

Scale = Literal["magnitude", "db"]
FLOOR_DB = -100.0


class FrontEnd(keras.layers.Layer):
    """wave (batch, samples) to (batch, bands, frames', channels) in float32 under any precision policy.

    transform:  maps waves (batch, samples) to magnitudes (batch, bands, frames); its count(samples) gives the
                frames and raises UserError where a clip is too short, its slice_clips how many clips it takes at once.
    settings:   those of the part's `build`, among them
    scale:      magnitudes, or decibels.
    top_db:     how far below each clip's own maximum the decibels reach; 0 for no such limit.
    frames, deltas: see _delta.py.
    """

    def __init__(self, transform, settings, **kwargs):
        super().__init__(**kwargs)
        self.transform, self.settings = transform, settings

    def call(self, wave):
        return _in_slices(self._slice, wave, self.transform.slice_clips, self.compute_output_shape(wave.shape))

    def compute_output_shape(self, input_shape):
        """(batch, bands, frames', channels); UserError where the clips are too short or of no fixed length."""
        if len(input_shape) != 2 or input_shape[1] is None:
            raise UserError(f"features/{self.name}: needs waves (batch, samples) of a fixed length, not {input_shape}.")
        frames, deltas = self.settings["frames"], self.settings["deltas"]
        count = _delta.output_frames(self.transform.count(input_shape[1]), deltas=deltas, frames=frames)
        return (input_shape[0], self.settings["bands"], count, _delta.channels(deltas))

    def get_config(self):
        return super().get_config() | self.settings

    @property
    def silence(self):
        """The value of a cell without any energy."""
        return FLOOR_DB if self.settings["scale"] == "db" else 0.0

    def _slice(self, wave):
        spectrogram = self.transform(wave)
        if self.settings["scale"] == "db":
            spectrogram = decibels(spectrogram, self.settings["top_db"])
        return _delta.with_deltas(spectrogram, deltas=self.settings["deltas"], frames=self.settings["frames"])


def check(part, *, scale, top_db, frames, **_):
    """UserError where these settings cannot work together."""
    if top_db < 0 or frames < 0:
        raise UserError(f"features/{part}: top_db = {top_db} and frames = {frames} must be 0 (off) or more.")
    if top_db and scale != "db":
        raise UserError(f'features/{part}: top_db = {top_db} needs scale = "db".')


def _in_slices(function, wave, most, shape):
    """`function` of (batch, samples), at most `most` clips at a time: spectra of more would fill cache and memory.

    The slices are of equal size, the last filled up with silence. shape: of the outcome.
    """
    count, larger = (tf.shape(wave)[0], tf.maximum) if wave.shape[0] is None else (wave.shape[0], max)
    slices = larger((count + most - 1) // most, 1)
    size = larger((count + slices - 1) // slices, 1)
    filled = tf.pad(wave, [[0, slices * size - count], [0, 0]])
    signature = tf.TensorSpec((None, *shape[1:]), tf.float32)
    outcome = tf.map_fn(function, tf.reshape(filled, [slices, size, wave.shape[1]]), fn_output_signature=signature)
    return tf.ensure_shape(tf.reshape(outcome, [slices * size, *shape[1:]])[:count], shape)


def decibels(magnitude, top_db):
    """(batch, bands, frames) in dB of full scale, at least -100 and, with top_db, the clip's maximum - top_db."""
    db = 20 / np.log(10) * tf.math.log(tf.maximum(magnitude, 10 ** (FLOOR_DB / 20)))
    return tf.maximum(db, tf.reduce_max(db, [1, 2], keepdims=True) - top_db) if top_db else db
