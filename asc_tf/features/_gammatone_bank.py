"""Which gammatone filters make up the bank?

Source:  M. Slaney, "An Efficient Implementation of the Patterson-Holdsworth Auditory Filter Bank", Apple TR 35,
         1993, and its corrected MATLAB code of 1998, as the package gammatone 1.0.3 computes it.

A filter is four second-order sections with one pair of poles d * exp(+-j * angle) and four different zeros:
H(z) = product over k of (1 - d * (cos(angle) + z_k * sin(angle)) / z) / (1 - 2 * d * cos(angle) / z + d^2 / z^2).
"""

from typing import NamedTuple

import numpy as np

EAR_Q, MIN_BANDWIDTH_HZ = 9.26449, 24.7  # Glasberg and Moore
ZEROS = (*(sign * np.sqrt(3 + 2**1.5) for sign in (1, -1)), *(sign * np.sqrt(3 - 2**1.5) for sign in (1, -1)))


class Bank(NamedTuple):
    """Of each band, lowest first, float64 (bands,)."""

    angle: np.ndarray  # of the poles: the centre frequency in radians a sample
    decay: np.ndarray  # radius of the poles
    gain: np.ndarray  # |H| at the centre, by which the filter is divided


def centres_hz(bands, min_hz, max_hz):
    """(bands,) equally spaced on the ERB scale, ascending: min_hz is the first, max_hz would follow the last."""
    offset = EAR_Q * MIN_BANDWIDTH_HZ
    steps = np.arange(bands, 0, -1) / bands
    return (max_hz + offset) * ((min_hz + offset) / (max_hz + offset)) ** steps - offset


def design(bands, sample_rate_hz, min_hz, max_hz):
    centres = centres_hz(bands, min_hz, max_hz)
    angle = 2 * np.pi * centres / sample_rate_hz
    decay = np.exp(-2 * np.pi * 1.019 * (centres / EAR_Q + MIN_BANDWIDTH_HZ) / sample_rate_hz)
    unscaled = Bank(angle, decay, np.ones(bands))
    return unscaled._replace(gain=response(unscaled, angle))


def response(bank, angles):
    """|H| of each band at angles that broadcast against (bands,), radians a sample."""
    back = np.exp(-1j * np.asarray(angles))
    zeros = [1 - bank.decay * (np.cos(bank.angle) + zero * np.sin(bank.angle)) * back for zero in ZEROS]
    poles = 1 - 2 * bank.decay * np.cos(bank.angle) * back + (bank.decay * back) ** 2
    return np.abs(np.prod(zeros, 0)) / np.abs(poles) ** 4 / bank.gain
