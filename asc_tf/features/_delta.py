"""Delta and delta-delta as channels, after an optional crop or padding to a fixed number of frames.

Source:  librosa.feature.delta 0.11: a Savitzky-Golay derivative of width 9; the second is the second derivative
         of a parabola, NOT the delta of the delta. Sheet F5 of ait2023: 3-point differences, one after the other.
Input:   spectrogram (batch, bands, frames).   Output: (batch, bands, frames', 1 or 3), unit per frame and frame^2.
Size:    frames' = frames, less 8 for "valid", less 4 for "three_point".

deltas:  "none"          the spectrogram alone, one channel
         "interpolated"  width 9, librosa's mode "interp": the first and last 4 frames from one fitted parabola
         "valid"         width 9, only frames whose window lies inside: 4 fewer at each end, in all channels
         "three_point"   d[t] = (x[t + 1] - x[t - 1]) / 2 where both exist, and d of d: 2 fewer at each end
frames:  before the deltas, crop about the centre, or repeat the edge frames, to this many; 0 leaves them as they are.
"""

import functools
from typing import Literal

import numpy as np
import scipy.signal
import tensorflow as tf

from asc_tf.errors import UserError

Deltas = Literal["none", "interpolated", "valid", "three_point"]
LOST = {"none": 0, "interpolated": 0, "valid": 8, "three_point": 4}  # frames
LEAST = {"none": 1, "interpolated": 9, "valid": 9, "three_point": 5}  # frames that the derivatives span
WIDTH = 9  # frames, librosa's default


def channels(deltas: Deltas) -> int:
    """Number of channels of `with_deltas`: 1 without deltas, else 3."""
    return 1 if deltas == "none" else 3


def output_frames(count: int, *, deltas: Deltas, frames: int = 0) -> int:
    """Number of frames that `with_deltas` returns.

    Args:
        count: Frames of its input.
        deltas: See above.
        frames: See above.

    Returns:
        Frames, at least 1.

    Raises:
        UserError: Too few frames for the deltas.
    """
    fitted = frames or count
    if fitted < LEAST[deltas]:
        raise UserError(
            f'features: deltas = "{deltas}" needs at least {LEAST[deltas]} frames and gets {fitted}: '
            'take a shorter hop, a longer clip or deltas = "none".'
        )
    return fitted - LOST[deltas]


def with_deltas(spectrogram: tf.Tensor, *, deltas: Deltas, frames: int = 0) -> tf.Tensor:
    """A spectrogram and its two derivatives along time, as channels.

    Args:
        spectrogram: (batch, bands, frames) float32.
        deltas: See above.
        frames: See above.

    Returns:
        (batch, bands, output_frames, channels): the values, then the first and the second derivative.

    Raises:
        UserError: Too few frames for the deltas.
    """
    count = output_frames(spectrogram.shape[2], deltas=deltas, frames=frames)
    fitted = _fitted(spectrogram, frames or spectrogram.shape[2])
    if deltas == "none":
        return fitted[..., None]
    first = LOST[deltas] // 2
    slopes = tf.matmul(fitted, tf.constant(_matrix(fitted.shape[2], deltas)))  # (batch, bands, 2 * count)
    return tf.stack([fitted[..., first : first + count], slopes[..., :count], slopes[..., count:]], -1)


def _fitted(spectrogram, frames):
    """Cropped about the centre, or its edge frames repeated; of an odd difference the end gets the larger half."""
    missing = frames - spectrogram.shape[2]
    if missing <= 0:
        return spectrogram[..., -missing // 2 : -missing // 2 + frames]
    start, end = spectrogram[..., :1], spectrogram[..., -1:]
    parts = [tf.repeat(start, missing // 2, 2), spectrogram, tf.repeat(end, missing - missing // 2, 2)]
    return tf.concat(parts, 2)


@functools.lru_cache(maxsize=16)
def _matrix(frames, deltas):
    """(frames, 2 * output frames) float32: x @ matrix is the first derivative, then the second."""
    identity = np.eye(frames)
    if deltas == "three_point":
        pair = _difference(identity)[:, 1:-1], _difference(_difference(identity))
    else:
        inner = slice(WIDTH // 2, -(WIDTH // 2)) if deltas == "valid" else slice(None)
        pair = [
            scipy.signal.savgol_filter(identity, WIDTH, polyorder=order, deriv=order, axis=1)[:, inner]
            for order in (1, 2)
        ]
    return np.concatenate(pair, 1).astype(np.float32)


def _difference(x):
    return (x[:, 2:] - x[:, :-2]) / 2
