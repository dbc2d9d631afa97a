"""Gammatone filter bank of four second-order sections a band.

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
    """Constants of the filters, lowest band first, each (bands,) float64."""

    angle: np.ndarray  # of the poles: the centre frequency in radians a sample
    decay: np.ndarray  # radius of the poles
    gain: np.ndarray  # |H| at the centre, by which the filter is divided


def centres_hz(bands: int, min_hz: float, max_hz: float) -> np.ndarray:
    """Centre frequencies equally spaced on the ERB scale, ascending.

    Args:
        bands: Number of filters.
        min_hz: First centre.
        max_hz: The centre that would follow the last.

    Returns:
        (bands,) float64, in Hz.
    """
    offset = EAR_Q * MIN_BANDWIDTH_HZ
    steps = np.arange(bands, 0, -1) / bands
    return (max_hz + offset) * ((min_hz + offset) / (max_hz + offset)) ** steps - offset


def design(bands: int, sample_rate_hz: int, min_hz: float, max_hz: float) -> Bank:
    """Filters of gain 1 at their centres.

    Args:
        bands: Number of filters.
        sample_rate_hz: Of the wave.
        min_hz: As in `centres_hz`.
        max_hz: As in `centres_hz`.

    Returns:
        The Bank.
    """
    centres = centres_hz(bands, min_hz, max_hz)
    angle = 2 * np.pi * centres / sample_rate_hz
    decay = np.exp(-2 * np.pi * 1.019 * (centres / EAR_Q + MIN_BANDWIDTH_HZ) / sample_rate_hz)
    unscaled = Bank(angle, decay, np.ones(bands))
    return unscaled._replace(gain=response(unscaled, angle))


def response(bank: Bank, angles: np.ndarray) -> np.ndarray:
    """Magnitude response |H| of each filter.

    Args:
        bank: The filters.
        angles: Frequencies in radians a sample, of a shape that broadcasts with (bands,).

    Returns:
        |H|, of the broadcast shape.
    """
    back = np.exp(-1j * np.asarray(angles))
    zeros = [1 - bank.decay * (np.cos(bank.angle) + zero * np.sin(bank.angle)) * back for zero in ZEROS]
    poles = 1 - 2 * bank.decay * np.cos(bank.angle) * back + (bank.decay * back) ** 2
    return np.abs(np.prod(zeros, 0)) / np.abs(poles) ** 4 / bank.gain
