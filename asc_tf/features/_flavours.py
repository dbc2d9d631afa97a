"""In what do the mel front ends of the field differ, apart from their numbers?

One row an original; sources and settings as published are in the docstring of log_mel.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from asc_tf.features import _framing, _levels, _mel

FLOAT32_EPSILON = 2.0**-23
_PERIODIC, _SYMMETRIC = (functools.partial(_framing.hann, symmetric=ends) for ends in (False, True))
_TORCH_PERIODIC, _TORCH_SYMMETRIC = (functools.partial(_framing.torch_hann, symmetric=ends) for ends in (False, True))


@dataclass(frozen=True)
class Flavour:
    """window: of _framing.   bank: of _mel.   level: of _levels, with its `floor`.

    edges: "REFLECT" or "CONSTANT" (zeros) centre the frames, "NONE" keeps the frames that fit.
    pre_emphasis: x[n] - it * x[n - 1], of the whole wave where frames are centred, else frame by frame
    after the frame's mean was subtracted.
    """

    window: Callable
    bank: Callable
    level: Callable
    floor: float
    edges: str = "REFLECT"
    pre_emphasis: float = 0.0


FLAVOURS = {
    "htk": Flavour(_TORCH_PERIODIC, _mel.htk_bank, _levels.ln_above, 1e-5),
    "slaney": Flavour(_PERIODIC, _mel.slaney_bank, _levels.decibels, 1e-10, edges="CONSTANT"),
    "htsat": Flavour(_PERIODIC, _mel.slaney_bank, _levels.decibels, 1e-10),
    "kaldi": Flavour(_TORCH_SYMMETRIC, _mel.kaldi_bank, _levels.ln_above, 1e-5, pre_emphasis=0.97),
    "ast": Flavour(_SYMMETRIC, _mel.kaldi_bank, _levels.ln_at_least, FLOAT32_EPSILON, edges="NONE", pre_emphasis=0.97),
}
