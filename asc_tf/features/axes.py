"""For which frequencies and moments do the rows and columns of a spectrogram stand?"""

import numpy as np

from asc_tf.features import _gammatone_bank, _mel
from asc_tf.features._flavours import FLAVOURS


def bands_hz(name, settings):
    """(bands,) centre frequencies of a front end of that name and settings."""
    bands, low = settings["bands"], settings["min_hz"]
    if name == "cqt":
        return low * 2.0 ** (np.arange(bands) / settings["bins_per_octave"])
    if name == "gammatone":
        return _gammatone_bank.centres_hz(bands, low, settings["max_hz"])
    to_mel, to_hz = _mel.kaldi_mel, _mel.kaldi_hz  # HTK's scale is the same
    if FLAVOURS[settings["flavour"]].bank is _mel.slaney_bank:
        to_mel, to_hz = _mel.slaney_mel, _mel.slaney_hz
    return to_hz(np.linspace(to_mel(low), to_mel(settings["max_hz"]), bands + 2)[1:-1])


def frames_s(name, settings, count):
    """(count,) seconds at the middle of each frame, where neither `frames` nor `deltas` took any away."""
    first = 0
    if name == "gammatone":
        first = settings["window_samples"] // (1 if settings["method"] == "fft" else 2)
    elif name == "log_mel" and FLAVOURS[settings["flavour"]].edges == "NONE":
        first = settings["window_samples"] // 2
    return (first + settings["hop_samples"] * np.arange(count)) / settings["sample_rate_hz"]
