"""Filters of a constant-Q transform, arranged for clips of a given length.

Source:  librosa.cqt 0.11: filters.wavelet (Hann, norm 1, filter scale 1, fractional lengths rounded to whole
         samples), times the root of their lengths (scale=True), only their bins from 0 Hz up, sparsity 0.

The transform of the whole clip, padded to hop * columns samples, is multiplied with each filter's transform; taking
every hop-th sample afterwards means adding all bins that lie a multiple of `columns` apart, before an inverse
transform of `columns` points: a small matrix product for each column, over the blocks of `columns` bins.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal
import tensorflow as tf

FLOAT64_LEVEL = 0.03  # of the highest peak of all filters: blocks below it may be rounded to float32, which is faster
GROUPS = 8  # of neighbouring bands, each with its own range of float64 blocks
HANN_BANDWIDTH_BINS = 1.50018310546875  # librosa.filters.window_bandwidth("hann")


@dataclass(frozen=True)
class Filters:
    """Centre frequencies and lengths of the filters, lowest band first.

    Args:
        sample_rate_hz: Of the wave.
        bands: Number of filters.
        bins_per_octave: Filters in an octave.
        min_hz: Centre of the lowest filter.
    """

    sample_rate_hz: int
    bands: int
    bins_per_octave: int
    min_hz: float

    @property
    def centres_hz(self) -> np.ndarray:
        """Centre frequencies, (bands,) float64."""
        return self.min_hz * 2.0 ** (np.arange(self.bands) / self.bins_per_octave)

    @property
    def lengths(self) -> np.ndarray:
        """Lengths in fractional samples, (bands,) float64."""
        return self._quality * self.sample_rate_hz / self.centres_hz

    @property
    def highest_hz(self) -> float:
        """Upper end of the highest filter's band."""
        return self.centres_hz[-1] * (1 + 0.5 * HANN_BANDWIDTH_BINS / self._quality)

    @property
    def _quality(self):
        step = 2.0 ** (2 / self.bins_per_octave)
        return (step + 1) / (step - 1)


class Layout(NamedTuple):
    """Weights of the blocks of a spectrum, for clips of one length."""

    columns: int  # bins of a block
    exact: list[tuple[int, tf.Tensor]]  # (first block, float64 (columns, neighbouring bands, blocks)): high weights
    rounded: tf.Tensor  # float32 (columns, 2 * bands, blocks): the rest, then the bins below 0 Hz, mirrored
    fft_samples: int  # librosa's FFT length
    first_taps: np.ndarray  # (bands,) complex: value of each filter at the first sample of its frame


@functools.lru_cache(maxsize=8)
def layout(samples: int, hop_samples: int, filters: Filters) -> Layout:
    """Arranges filters for clips of one length.

    Args:
        samples: Of a clip.
        hop_samples: Between frames.
        filters: Of the transform.

    Returns:
        The Layout; the last eight are cached.
    """
    lengths, cycles = filters.lengths, filters.centres_hz / filters.sample_rate_hz
    fft_samples = 2 ** int(np.ceil(np.log2(max(lengths.max(), 2 * hop_samples))))
    columns = _even_fast_length(-(-(samples + fft_samples // 2) // hop_samples))
    responses = [_response(cycle, length, fft_samples) for cycle, length in zip(cycles, lengths, strict=True)]
    # Divided by the hop: the inverse transform divides by `columns` instead of columns * hop_samples.
    kernels = np.stack([_kernel(response, columns * hop_samples) for response in responses]) / hop_samples
    half = kernels.shape[1] // 2
    above, below = _blocks(kernels[:, : half + 1], columns), _blocks(_mirrored(kernels[:, half:]), columns)
    ranges = list(_float64_ranges(above))
    exact = [(low, above[bands, low:high].transpose(2, 0, 1)) for bands, low, high in ranges]
    for bands, low, high in ranges:
        above[bands, low:high] = 0
    rounded = np.concatenate([above, below]).astype(np.float32).transpose(2, 0, 1)
    with tf.init_scope():  # captured by every graph that uses them: as constants, each graph would copy 40 MB
        exact = [(low, tf.constant(weights)) for low, weights in exact]
        first_taps = np.array([response[0] for response in responses])
        return Layout(columns, exact, tf.constant(rounded), fft_samples, first_taps)


def _even_fast_length(columns):
    """Even, so that the padded clip is even in length whatever the hop."""
    return 2 * scipy.fft.next_fast_len(-(-columns // 2))


def _response(cycle, length, fft_samples):
    """(fft_samples,) complex: a filter of `cycle` periods a sample, its sample 0 in the middle, as librosa applies it.

    librosa drops the bins below 0 Hz of a frame of `fft_samples`: what leaks there is up to 1 dB of weak cells. The
    phase is 0 at sample -0.5, the middle of the window: an odd number of samples, from floor(-length / 2).
    """
    half = int(np.ceil(length / 2))
    window = scipy.signal.get_window("hann", 2 * half - 1)
    frame = np.zeros(fft_samples, complex)
    offsets = np.arange(-half, half - 1)
    frame[offsets] = window / window.sum() * np.sqrt(length) * np.exp(2j * np.pi * cycle * (offsets + 0.5))
    spectrum = np.fft.fft(frame)
    spectrum[fft_samples // 2 + 1 :] = 0
    return np.fft.fftshift(np.fft.ifft(spectrum))


def _kernel(response, size):
    """(size,) real: the transform of a filter, its middle moved from sample -0.5 to 0."""
    padded = np.zeros(size, complex)
    padded[np.arange(-len(response) // 2, len(response) // 2)] = response
    frequencies = -np.fft.fftfreq(size)[-np.arange(size)]  # the middle bin as +0.5, as in the clip's spectrum
    return (np.fft.fft(padded) * np.exp(-1j * np.pi * frequencies)).real


def _mirrored(kernels):
    """Bins from the middle up, at the indices of their mirrors above 0 Hz; 0 Hz and the middle have none."""
    mirrored = np.roll(kernels[:, ::-1], 1, axis=1)
    mirrored[:, 0] = 0
    return np.pad(mirrored, [(0, 0), (0, 1)])


def _blocks(kernels, columns):
    """(bands, bins) to (bands, blocks, columns), padded with zeros."""
    return np.pad(kernels, [(0, 0), (0, -kernels.shape[1] % columns)]).reshape(len(kernels), -1, columns)


def _float64_ranges(above):
    """Yields (bands, first block, end): blocks of (bands, blocks, columns) with high weights in neighbouring bands."""
    high = np.abs(above).max(2) > FLOAT64_LEVEL * above.max()
    for bands in np.array_split(np.arange(len(above)), min(GROUPS, len(above))):
        blocks = np.flatnonzero(high[bands].any(0))
        yield bands, int(blocks[0]), int(blocks[-1]) + 1
