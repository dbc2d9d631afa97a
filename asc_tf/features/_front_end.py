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

    magnitudes:  wave (batch, samples) to (batch, bands, frames).
    count:       samples to frames; raises UserError where a clip is too short.
    top_db:      how far below each clip's own maximum the decibels reach; 0 for no such limit.
    frames, deltas: see _delta.py.
    """

    def __init__(self, magnitudes, count, *, bands, scale, top_db, frames, deltas, **kwargs):
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.magnitudes, self.count, self.bands = magnitudes, count, bands
        self.scale, self.top_db, self.frames, self.deltas = scale, top_db, frames, deltas
        if top_db < 0 or frames < 0:
            raise UserError(f"features/{self.name}: top_db = {top_db} and frames = {frames} must be 0 (off) or more.")
        if top_db and scale != "db":
            raise UserError(f'features/{self.name}: top_db = {top_db} needs scale = "db".')

    def call(self, wave):
        self.compute_output_shape(wave.shape)  # refuses clips that are too short before anything is computed
        spectrogram = self.magnitudes(wave)
        if self.scale == "db":
            spectrogram = decibels(spectrogram, self.top_db)
        return _delta.with_deltas(spectrogram, deltas=self.deltas, frames=self.frames)

    def compute_output_shape(self, input_shape):
        if len(input_shape) != 2 or input_shape[1] is None:
            raise UserError(f"features/{self.name}: needs waves (batch, samples) of a fixed length, not {input_shape}.")
        frames = _delta.output_frames(self.count(input_shape[1]), deltas=self.deltas, frames=self.frames)
        return (input_shape[0], self.bands, frames, _delta.channels(self.deltas))

    @property
    def silence(self):
        """The value of a cell without any energy."""
        return FLOOR_DB if self.scale == "db" else 0.0


def decibels(magnitude, top_db):
    """(batch, bands, frames) in dB of full scale, at least -100 and, with top_db, the clip's maximum - top_db."""
    db = 20 / np.log(10) * tf.math.log(tf.maximum(magnitude, 10 ** (FLOOR_DB / 20)))
    return tf.maximum(db, tf.reduce_max(db, [1, 2], keepdims=True) - top_db) if top_db else db
