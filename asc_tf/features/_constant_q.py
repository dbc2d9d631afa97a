"""Which filters make up a constant-Q transform, and how are they laid out for a clip of a given length?

Source:  librosa.cqt 0.11: filters.wavelet (Hann, norm 1, filter scale 1, fractional lengths rounded to whole
         samples), times the root of their lengths (scale=True), only their bins from 0 Hz up, sparsity 0.

The transform of the whole clip, padded to N = hop * columns, is multiplied with each filter's transform; taking
every hop-th sample afterwards means adding all bins that lie a multiple of `columns` apart, before an inverse
transform of `columns` points: a small matrix product for each column.
"""

import functools
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal

GROUPS = 8  # of neighbouring bands, each with its own range of bins
NEGLIGIBLE = 3e-9  # of the highest peak of all filters: 80 dB below the loudest cell this is still 0.001 dB at worst
HANN_BANDWIDTH_BINS = 1.50018310546875  # librosa.filters.window_bandwidth("hann")


class Filters(NamedTuple):
    """Centre frequencies and lengths of the bands, lowest first, each (bands,)."""

    centres_hz: np.ndarray
    lengths: np.ndarray  # samples, fractional
    highest_hz: float  # where the highest filter ends


class Group(NamedTuple):
    """Neighbouring bands: matrices (columns, bands, blocks) for the blocks of bins from `low`; 0 is the lowest."""

    low: int
    matrices: np.ndarray


class Layout(NamedTuple):
    columns: int
    groups: tuple[Group, ...]
    span: int  # samples, librosa's FFT length
    seam: np.ndarray  # (bands,) complex, what each filter takes at its frame's first sample


def filters(*, sample_rate_hz, bands, bins_per_octave, min_hz):
    centres = min_hz * 2.0 ** (np.arange(bands) / bins_per_octave)
    step = 2.0 ** (2 / bins_per_octave)
    quality = (step + 1) / (step - 1)
    highest = centres[-1] * (1 + 0.5 * HANN_BANDWIDTH_BINS / quality)
    return Filters(centres, quality * sample_rate_hz / centres, highest)


@functools.lru_cache(maxsize=8)
def layout(samples, *, sample_rate_hz, hop_samples, **settings):
    """The Layout for clips of `samples`; `settings` are those of `filters`."""
    centres, lengths, _ = filters(sample_rate_hz=sample_rate_hz, **settings)
    span = 2 ** int(np.ceil(np.log2(max(lengths.max(), 2 * hop_samples))))
    columns = _even_fast_length(-(-(samples + span // 2) // hop_samples))
    size = columns * hop_samples
    waves = [_wave(centre / sample_rate_hz, length, span) for centre, length in zip(centres, lengths, strict=True)]
    kernels = np.stack([_kernel(wave, size) for wave in waves]).reshape(len(waves), hop_samples, columns)
    # Divided by the hop: the inverse transform divides by `columns` instead of `size`.
    return Layout(columns, tuple(_groups(kernels / hop_samples)), span, np.array([wave[0] for wave in waves]))


def _even_fast_length(columns):
    """Even, so that the bins divide into whole blocks below and above 0 Hz."""
    return 2 * scipy.fft.next_fast_len(-(-columns // 2))


def _wave(cycle, length, span):
    """(span,) complex: a filter of `cycle` periods a sample, sample 0 of it in the middle, as librosa applies it.

    librosa drops the bins below 0 Hz of a frame of `span`: what leaks there is up to 1 dB of weak cells. The phase
    is 0 at sample -0.5, the middle of the window: an odd number of samples, from floor(-length / 2).
    """
    half = int(np.ceil(length / 2))
    window = scipy.signal.get_window("hann", 2 * half - 1)
    frame = np.zeros(span, complex)
    places = np.arange(-half, half - 1)
    frame[places] = window / window.sum() * np.sqrt(length) * np.exp(2j * np.pi * cycle * (places + 0.5))
    spectrum = np.fft.fft(frame)
    spectrum[span // 2 + 1 :] = 0
    return np.fft.fftshift(np.fft.ifft(spectrum))


def _kernel(wave, size):
    """(size,) real: the transform of a filter, its middle moved from sample -0.5 to 0, bins from -size / 2 up."""
    padded = np.zeros(size, complex)
    padded[np.arange(-len(wave) // 2, len(wave) // 2)] = wave
    return np.fft.fftshift((np.fft.fft(padded) * np.exp(-1j * np.pi * np.fft.fftfreq(size))).real)


def _groups(kernels):
    """kernels (bands, blocks, columns) without the blocks at both ends that are negligible for a whole group."""
    used = np.abs(kernels).max(2) > NEGLIGIBLE * np.abs(kernels).max()
    for bands in np.array_split(np.arange(len(kernels)), min(GROUPS, len(kernels))):
        blocks = np.flatnonzero(used[bands].any(0))
        low, high = blocks[0], blocks[-1] + 1
        yield Group(int(low), np.ascontiguousarray(kernels[bands, low:high].transpose(2, 0, 1)))
