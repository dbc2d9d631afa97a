"""Mel filter banks of the field, and their fast application.

Each bank is computed with the roundings of its original: they move weights by up to 4e-5 of the peak,
and a cell whose energy lies at the foot of a triangle by more than the promised 1e-3 dB.
"""

import numpy as np
import tensorflow as tf

GROUPS = 8  # measured fastest: most of a dense bank's multiplications are with zeros
Groups = list[tuple[int, np.ndarray]]  # (first bin, weights (bins of the group, bands of the group)), lowest first


def htk_bank(bands: int, fft_samples: int, sample_rate_hz: int, min_hz: float, max_hz: float) -> np.ndarray:
    """Triangles linear in Hz, their corners equally spaced on the HTK mel scale, of peak 1.

    Args:
        bands: Number of triangles.
        fft_samples: Length of the FFT.
        sample_rate_hz: Of the wave.
        min_hz: Left corner of the first triangle.
        max_hz: Right corner of the last triangle.

    Returns:
        (fft_samples // 2 + 1, bands) float32.

    Source: torchaudio.functional.melscale_fbanks(norm=None, mel_scale="htk"), float32.
    """
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (min_hz, max_hz))
    corners_mel = _linspace(lowest, highest, bands + 2)
    corners_hz = np.float32(700) * (np.float32(10) ** (corners_mel / np.float32(2595)) - np.float32(1))
    bins_hz = np.linspace(0, sample_rate_hz // 2, fft_samples // 2 + 1, dtype=np.float32)[:, None]
    rising = (bins_hz - corners_hz[:-2]) / np.diff(corners_hz)[:-1]
    falling = (corners_hz[2:] - bins_hz) / np.diff(corners_hz)[1:]
    return np.maximum(np.float32(0), np.minimum(rising, falling))


def slaney_bank(bands: int, fft_samples: int, sample_rate_hz: int, min_hz: float, max_hz: float) -> np.ndarray:
    """Triangles linear in Hz, their corners equally spaced on Slaney's scale, each of area 2 bins of 1 Hz.

    Args:
        bands: Number of triangles.
        fft_samples: Length of the FFT.
        sample_rate_hz: Of the wave.
        min_hz: Left corner of the first triangle.
        max_hz: Right corner of the last triangle.

    Returns:
        (fft_samples // 2 + 1, bands) float32.

    Source: librosa.filters.mel(htk=False, norm="slaney"), float64 rounded once.
    """
    corners_hz = slaney_hz(np.linspace(slaney_mel(min_hz), slaney_mel(max_hz), bands + 2))
    bins_hz = np.fft.rfftfreq(fft_samples, 1 / sample_rate_hz)[:, None]
    rising = (bins_hz - corners_hz[:-2]) / np.diff(corners_hz)[:-1]
    falling = (corners_hz[2:] - bins_hz) / np.diff(corners_hz)[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2 / (corners_hz[2:] - corners_hz[:-2]))).astype(np.float32)


def kaldi_bank(bands: int, fft_samples: int, sample_rate_hz: int, min_hz: float, max_hz: float) -> np.ndarray:
    """Triangles linear in mel, of peak 1; the Nyquist bin has no weight.

    Args:
        bands: Number of triangles.
        fft_samples: Length of the FFT.
        sample_rate_hz: Of the wave.
        min_hz: Left corner of the first triangle.
        max_hz: Right corner of the last triangle.

    Returns:
        (fft_samples // 2 + 1, bands) float32.

    Source: torchaudio.compliance.kaldi.get_mel_banks, float32, with the zero column its callers append.
    """
    lowest, highest = kaldi_mel(min_hz), kaldi_mel(max_hz)
    step, band = np.float32((highest - lowest) / (bands + 1)), np.arange(bands, dtype=np.float32)
    left, centre, right = (np.float32(lowest) + (band + np.float32(corner)) * step for corner in range(3))
    bins = _kaldi_bins(fft_samples, sample_rate_hz)[:, None]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.pad(np.maximum(np.float32(0), triangles), ((0, 1), (0, 0)))


def kaldi_weights(
    groups: Groups, fft_samples: int, sample_rate_hz: int, min_hz: tf.Tensor, max_hz: tf.Tensor
) -> list[tf.Tensor]:
    """Weights of a grouped `kaldi_bank` in graph code, for frequencies that are tensors.

    Args:
        groups: The bins and bands of each group.
        fft_samples: Length of the FFT.
        sample_rate_hz: Of the wave.
        min_hz: Left corner of the first triangle, scalar.
        max_hz: Right corner of the last triangle, scalar.

    Returns:
        For each group (bins of the group, bands of the group) float32.
    """
    bands = sum(weights.shape[1] for _, weights in groups)
    lowest, highest = (1127 * tf.math.log1p(hz / 700) for hz in (min_hz, max_hz))
    bins, first, drawn = _kaldi_bins(fft_samples, sample_rate_hz), 0, []
    for low, weights in groups:
        band = tf.range(first, first + weights.shape[1], dtype=tf.float32)
        # 0 at a triangle's left corner, 1 at its centre, 2 at its right corner
        position = (bins[low : low + len(weights), None] - lowest) / (highest - lowest) * (bands + 1) - band
        drawn.append(tf.maximum(0.0, tf.minimum(position, 2 - position)))
        first += weights.shape[1]
    return drawn


def kaldi_mel(hz: np.ndarray | float) -> np.ndarray | float:
    """Kaldi's mel scale; HTK's with a natural logarithm."""
    return 1127 * np.log(1 + hz / 700)


def kaldi_hz(mel: np.ndarray | float) -> np.ndarray | float:
    """Inverse of kaldi_mel."""
    return 700 * (np.exp(mel / 1127) - 1)


def slaney_mel(hz: np.ndarray | float) -> np.ndarray:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def slaney_hz(mel: np.ndarray | float) -> np.ndarray:
    """Inverse of slaney_mel."""
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


def grouped(bank: np.ndarray, used: np.ndarray | None = None) -> Groups:
    """Cuts a bank into groups of neighbouring bands, each with its range of bins that have weights.

    Args:
        bank: (bins, bands).
        used: (bins, bands) bool, where other banks of the same groups have weights too; None for the bank alone.

    Returns:
        The groups.
    """
    groups = []
    for bands in np.array_split(np.arange(bank.shape[1]), min(GROUPS, bank.shape[1])):
        bins = np.flatnonzero((bank if used is None else used)[:, bands].any(1))
        low, high = (bins[0], bins[-1] + 1) if len(bins) else (0, 1)
        groups.append((int(low), bank[low:high, bands]))
    return groups


def apply_bank(spectrum: tf.Tensor, groups: Groups | list[tuple[int, tf.Tensor]]) -> tf.Tensor:
    """Energy in each band.

    Args:
        spectrum: (batch, frames, bins) of powers or magnitudes.
        groups: Of a bank.

    Returns:
        (batch, bands, frames).
    """
    mels = [tf.matmul(spectrum[..., low : low + weights.shape[0]], weights) for low, weights in groups]
    return tf.transpose(tf.concat(mels, -1), (0, 2, 1))


def _kaldi_bins(fft_samples, sample_rate_hz):
    """(fft_samples // 2,) mel of the bins below Nyquist, each step rounded as torch rounds."""
    hz = np.float32(sample_rate_hz / fft_samples) * np.arange(fft_samples // 2, dtype=np.float32)
    return np.float32(1127) * np.log(np.float64(np.float32(1) + hz / np.float32(700))).astype(np.float32)


def _linspace(start, stop, count):
    """torch.linspace in float32: a rounded step, counted from the nearer end, one rounding of each sum."""
    start, stop = np.float32(start), np.float32(stop)
    step, index = np.float64((stop - start) / np.float32(count - 1)), np.arange(count)
    return np.where(index < count // 2, start + step * index, stop - step * (count - 1 - index)).astype(np.float32)
