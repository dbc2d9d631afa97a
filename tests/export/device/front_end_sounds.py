"""Real recordings and their spectrograms by the front ends in Python, for the tests of exported front ends."""

import functools

import numpy as np
import scipy.ndimage
from features.test_log_mel import AST, BASELINE, CP_JKU, EACH, HTSAT, LIBROSA, PASST

from asc_tf.data import audio
from asc_tf.features import log_mel

CASES = EACH | {
    "kaldi of 2023": CP_JKU,
    "kaldi cropped": PASST | {"frames": 81},
    "htk repeated at the edges, valid deltas": BASELINE | {"frames": 80, "deltas": "valid"},
    "slaney against its maximum, deltas": LIBROSA
    | {"top_db": 80.0, "reference": "maximum", "frames": 128, "deltas": "interpolated"},
    "htsat not far below its maximum": HTSAT | {"top_db": 60.0, "frames": 104},
    "ast padded": AST | {"frames": 120},
    "ast cut, three-point deltas": AST | {"frames": 60, "deltas": "three_point"},
}


@functools.cache
def waves(folder, rate_hz):
    """(clips, samples) float32: two seconds of every scene of TUT 2018 and one second of some sounds of ESC-10."""
    files = sorted((folder / "data/tut2018").rglob("*.wav")) + sorted((folder / "data/esc10").rglob("*.ogg"))[::64]
    cut = [audio.cut(audio.resample(*audio.read(file), rate_hz), rate_hz, 1.0) for file in files]
    return np.concatenate([seconds[1:3] for seconds in cut])


@functools.cache
def spectrograms(folder, name):
    """(clips, bands, frames, channels) float32: the clips' spectrograms with the settings of a case."""
    return log_mel.build(**CASES[name])(waves(folder, CASES[name]["sample_rate_hz"])).numpy()


def largest_ln(name, spectrograms, expected):
    """The largest differences of two spectrograms of a case, in natural logarithms: (within 80 dB, anywhere).

    Within 80 dB of each clip's maximum, as the front ends are compared with their originals; deltas count where all
    frames they span are. Further down float32 is too coarse: the difference of the front end in Python from the same
    in float64 is 0.002 with ast and 0.008 with slaney, 90 to 130 dB below the maximum; that of C is a little less.
    """
    decibels = {"slaney": 1.0, "htsat": 1.0, "yamnet": 20 / np.log(10)}.get(CASES[name]["flavour"], 10 / np.log(10))
    level = expected[..., :1] * decibels
    level = np.where(level == 0, -np.inf, level)  # the value that ast pads with
    loud = level > level.max((1, 2, 3), keepdims=True) - 80
    if expected.shape[-1] > 1:
        loud = scipy.ndimage.minimum_filter1d(loud, 9, axis=2)
    difference = np.abs(spectrograms - expected) * decibels * np.log(10) / 10
    return (difference * loud).max(), difference.max()
