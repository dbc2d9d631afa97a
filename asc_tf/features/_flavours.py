"""The mel front ends of the field as combinations of a window, a filter bank and a logarithm.

One row for each original; sources and published settings are in the docstring of log_mel.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from asc_tf.features import _levels, _mel, _windows

FLOAT32_EPSILON = 2.0**-23
_PERIODIC, _SYMMETRIC = (functools.partial(_windows.hann, symmetric=ends) for ends in (False, True))
_TORCH_PERIODIC, _TORCH_SYMMETRIC = (functools.partial(_windows.torch_hann, symmetric=ends) for ends in (False, True))


@dataclass(frozen=True)
class Flavour:
    """How one original computes a log-mel spectrogram.

    Args:
        window: Function of window_samples, of _windows.
        bank: Function of (bands, fft_samples, sample_rate_hz, min_hz, max_hz), of _mel.
        level: Function of (energy, floor), of _levels.
        floor: Energy that `level` adds, or does not fall below.
        edges: "REFLECT" or "CONSTANT" (zeros) centre the frames; "NONE" takes only frames that lie inside the wave.
        pre_emphasis: p of x[n] - p * x[n - 1], over the whole wave where frames are centred, else frame by frame
            after the frame's mean was subtracted. 0 leaves frames and their mean as they are.
        magnitude: Whether the bank is applied to the magnitudes of the FFT; else to their squares.
    """

    window: Callable
    bank: Callable
    level: Callable
    floor: float
    edges: str = "REFLECT"
    pre_emphasis: float = 0.0
    magnitude: bool = False


FLAVOURS = {
    "htk": Flavour(_TORCH_PERIODIC, _mel.htk_bank, _levels.ln_above, 1e-5),
    "slaney": Flavour(_PERIODIC, _mel.slaney_bank, _levels.decibels, 1e-10, edges="CONSTANT"),
    "htsat": Flavour(_PERIODIC, _mel.slaney_bank, _levels.decibels, 1e-10),
    "kaldi": Flavour(_TORCH_SYMMETRIC, _mel.kaldi_bank, _levels.ln_above, 1e-5, pre_emphasis=0.97),
    "ast": Flavour(_SYMMETRIC, _mel.kaldi_bank, _levels.ln_at_least, FLOAT32_EPSILON, edges="NONE", pre_emphasis=0.97),
    "yamnet": Flavour(_PERIODIC, _mel.kaldi_bank, _levels.ln_above, 1e-3, edges="NONE", magnitude=True),
}
