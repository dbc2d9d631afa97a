"""Frequencies and times of the rows and columns of a spectrogram."""

from typing import Any

import numpy as np

from asc_tf.features import _constant_q, _gammatone_bank, _mel
from asc_tf.features._flavours import FLAVOURS


def bands_hz(name: str, settings: dict[str, Any]) -> np.ndarray:
    """Centre frequencies of the bands of a front end.

    Args:
        name: "log_mel", "gammatone" or "cqt".
        settings: Of its `build`.

    Returns:
        (bands,) float64, in Hz, ascending.
    """
    bands, low = settings["bands"], settings["min_hz"]
    if name == "cqt":
        return _constant_q.Filters(settings["sample_rate_hz"], bands, settings["bins_per_octave"], low).centres_hz
    if name == "gammatone":
        return _gammatone_bank.centres_hz(bands, low, settings["max_hz"])
    to_mel, to_hz = _mel.kaldi_mel, _mel.kaldi_hz  # HTK's scale is the same
    if FLAVOURS[settings["flavour"]].bank is _mel.slaney_bank:
        to_mel, to_hz = _mel.slaney_mel, _mel.slaney_hz
    return to_hz(np.linspace(to_mel(low), to_mel(settings["max_hz"]), bands + 2)[1:-1])


def frames_s(name: str, settings: dict[str, Any], count: int) -> np.ndarray:
    """Times of the middles of the frames, where neither `frames` nor `deltas` changed their number.

    Args:
        name: "log_mel", "gammatone" or "cqt".
        settings: Of its `build`.
        count: Frames of the spectrogram.

    Returns:
        (count,) float64, in seconds from the start of the wave.
    """
    first = 0
    if name == "gammatone":
        first = settings["window_samples"] // (1 if settings["method"] == "fft" else 2)
    elif name == "log_mel" and FLAVOURS[settings["flavour"]].edges == "NONE":
        first = settings["window_samples"] // 2
    return (first + settings["hop_samples"] * np.arange(count)) / settings["sample_rate_hz"]
