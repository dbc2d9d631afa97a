"""Which mel filter banks are in the field, and how are they applied fast?

Each bank is computed with the roundings of its original: they move weights by up to 4e-5 of the peak,
and a cell whose energy sits at the foot of a triangle by more than the 1e-3 dB that is promised.
"""

import numpy as np
import tensorflow as tf

GROUPS = 8  # measured fastest: most of a dense bank's multiplications are with zeros


def htk_bank(bands, fft_samples, sample_rate_hz, min_hz, max_hz):
    """(fft_samples // 2 + 1, bands) triangles linear in Hz, corners equal on the HTK mel scale, peak 1.

    Source: torchaudio.functional.melscale_fbanks(norm=None, mel_scale="htk"), float32.
    """
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (min_hz, max_hz))
    corners_mel = _linspace(lowest, highest, bands + 2)
    corners_hz = np.float32(700) * (np.float32(10) ** (corners_mel / np.float32(2595)) - np.float32(1))
    bins_hz = np.linspace(0, sample_rate_hz // 2, fft_samples // 2 + 1, dtype=np.float32)[:, None]
    rising = (bins_hz - corners_hz[:-2]) / np.diff(corners_hz)[:-1]
    falling = (corners_hz[2:] - bins_hz) / np.diff(corners_hz)[1:]
    return np.maximum(np.float32(0), np.minimum(rising, falling))


def slaney_bank(bands, fft_samples, sample_rate_hz, min_hz, max_hz):
    """(fft_samples // 2 + 1, bands) triangles linear in Hz on Slaney's scale, each of area 2 bins of 1 Hz.

    Source: librosa.filters.mel(htk=False, norm="slaney"), float64 rounded once.
    """
    corners_hz = slaney_hz(np.linspace(slaney_mel(min_hz), slaney_mel(max_hz), bands + 2))
    bins_hz = np.fft.rfftfreq(fft_samples, 1 / sample_rate_hz)[:, None]
    rising = (bins_hz - corners_hz[:-2]) / np.diff(corners_hz)[:-1]
    falling = (corners_hz[2:] - bins_hz) / np.diff(corners_hz)[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2 / (corners_hz[2:] - corners_hz[:-2]))).astype(np.float32)


def kaldi_bank(bands, fft_samples, sample_rate_hz, min_hz, max_hz):
    """(fft_samples // 2 + 1, bands) triangles linear in mel, peak 1; the Nyquist bin has no weight.

    Source: torchaudio.compliance.kaldi.get_mel_banks, float32, with the zero column its callers append.
    """
    lowest, highest = kaldi_mel(min_hz), kaldi_mel(max_hz)
    step, band = np.float32((highest - lowest) / (bands + 1)), np.arange(bands, dtype=np.float32)
    left, centre, right = (np.float32(lowest) + (band + np.float32(corner)) * step for corner in range(3))
    bins = _kaldi_bins(fft_samples, sample_rate_hz)[:, None]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.pad(np.maximum(np.float32(0), triangles), ((0, 1), (0, 0)))


def drawn_kaldi_weights(groups, fft_samples, sample_rate_hz, min_hz, max_hz):
    """The weights of `groups` for frequencies that are tensors: the triangles of `kaldi_bank` in graph code."""
    bands = sum(weights.shape[1] for _, weights in groups)
    lowest, highest = (1127 * tf.math.log1p(hz / 700) for hz in (min_hz, max_hz))
    bins, first, drawn = _kaldi_bins(fft_samples, sample_rate_hz), 0, []
    for low, weights in groups:
        band = tf.range(first, first + weights.shape[1], dtype=tf.float32)
        place = (bins[low : low + len(weights), None] - lowest) / (highest - lowest) * (bands + 1) - band
        drawn.append(tf.maximum(0.0, tf.minimum(place, 2 - place)))  # 0 at the left corner, 1 at the centre
        first += weights.shape[1]
    return drawn


def kaldi_mel(hz):
    """Kaldi's mel scale; HTK's with a natural logarithm."""
    return 1127 * np.log(1 + hz / 700)


def kaldi_hz(mel):
    """Inverse of kaldi_mel."""
    return 700 * (np.exp(mel / 1127) - 1)


def slaney_mel(hz):
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def slaney_hz(mel):
    """Inverse of slaney_mel."""
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


def grouped(bank, used=None):
    """The bank cut into groups of neighbouring bands, each with its own slice of bins.

    bank: (bins, bands).  used: (bins, bands), where other banks of the same groups have weights too.
    Returns a list of (first bin, (bins of the group, bands of the group)).
    """
    groups = []
    for bands in np.array_split(np.arange(bank.shape[1]), min(GROUPS, bank.shape[1])):
        bins = np.flatnonzero((bank if used is None else used)[:, bands].any(1))
        low, high = (bins[0], bins[-1] + 1) if len(bins) else (0, 1)
        groups.append((int(low), bank[low:high, bands]))
    return groups


def apply_bank(power, groups):
    """(batch, frames, bins) to (batch, bands, frames) by groups of (first bin, weights)."""
    mels = [tf.matmul(power[..., low : low + weights.shape[0]], weights) for low, weights in groups]
    return tf.transpose(tf.concat(mels, -1), (0, 2, 1))


def _kaldi_bins(fft_samples, sample_rate_hz):
    """(fft_samples // 2,) mel of the bins below Nyquist, each step rounded as torch rounds."""
    hz = np.float32(sample_rate_hz / fft_samples) * np.arange(fft_samples // 2, dtype=np.float32)
    return np.float32(1127) * np.log(np.float64(np.float32(1) + hz / np.float32(700))).astype(np.float32)


def _linspace(start, stop, count):
    """torch.linspace in float32: a rounded step, counted from the nearer end, one rounding of each sum."""
    start, stop = np.float32(start), np.float32(stop)
    step, place = np.float64((stop - start) / np.float32(count - 1)), np.arange(count)
    return np.where(place < count // 2, start + step * place, stop - step * (count - 1 - place)).astype(np.float32)
