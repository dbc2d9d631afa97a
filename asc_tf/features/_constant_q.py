"""Which filters make up a constant-Q transform, and how are they laid out for a clip of a given length?

Source:  librosa.cqt 0.11: filters.wavelet (Hann, norm 1, filter scale 1, fractional lengths rounded to whole
         samples), times the root of their lengths (scale=True), only their bins from 0 Hz up, sparsity 0.

The transform of the whole clip, padded to hop * columns samples, is multiplied with each filter's transform; taking
every hop-th sample afterwards means adding all bins that lie a multiple of `columns` apart, before an inverse
transform of `columns` points: a small matrix product for each column, over the blocks of `columns` bins.
"""

import functools
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal
import tensorflow as tf

LOUD = 0.03  # of the highest peak of all filters: blocks below it may be rounded to float32, which is faster
GROUPS = 8  # of neighbouring bands, each with its own range of loud blocks
HANN_BANDWIDTH_BINS = 1.50018310546875  # librosa.filters.window_bandwidth("hann")


class Filters(NamedTuple):
    """Centre frequencies and lengths of the bands, lowest first, each (bands,)."""

    centres_hz: np.ndarray
    lengths: np.ndarray  # samples, fractional
    highest_hz: float  # where the highest filter ends


class Layout(NamedTuple):
    """What multiplies the blocks of a spectrum."""

    columns: int
    loud: list  # float64, (first block, (columns, neighbouring bands, blocks)): where bands are loud
    quiet: tf.Tensor  # float32, (columns, 2 * bands, blocks): the rest, then the bins below 0 Hz at their mirrors
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
    waves = [_wave(centre / sample_rate_hz, length, span) for centre, length in zip(centres, lengths, strict=True)]
    # Divided by the hop: the inverse transform divides by `columns` instead of columns * hop_samples.
    kernels = np.stack([_kernel(wave, columns * hop_samples) for wave in waves]) / hop_samples
    half = kernels.shape[1] // 2
    above, below = _blocks(kernels[:, : half + 1], columns), _blocks(_mirrored(kernels[:, half:]), columns)
    ranges = list(_loud_ranges(above))
    loud = [(low, above[bands, low:high].transpose(2, 0, 1)) for bands, low, high in ranges]
    for bands, low, high in ranges:
        above[bands, low:high] = 0
    quiet = np.concatenate([above, below]).astype(np.float32).transpose(2, 0, 1)
    with tf.init_scope():  # captured by every graph that uses them: as constants, each would hold 40 MB of its own
        loud = [(low, tf.constant(weights)) for low, weights in loud]
        return Layout(columns, loud, tf.constant(quiet), span, np.array([wave[0] for wave in waves]))


def _even_fast_length(columns):
    """Even, so that the padded clip is even in length whatever the hop."""
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
    """(size,) real: the transform of a filter, its middle moved from sample -0.5 to 0."""
    padded = np.zeros(size, complex)
    padded[np.arange(-len(wave) // 2, len(wave) // 2)] = wave
    frequencies = -np.fft.fftfreq(size)[-np.arange(size)]  # the middle bin as +0.5, where the clip's bins have it
    return (np.fft.fft(padded) * np.exp(-1j * np.pi * frequencies)).real


def _mirrored(kernels):
    """Bins from the middle up, to those below 0 Hz in the place of their mirrors; 0 Hz and the middle have none."""
    mirrored = np.roll(kernels[:, ::-1], 1, axis=1)
    mirrored[:, 0] = 0
    return np.pad(mirrored, [(0, 0), (0, 1)])


def _blocks(kernels, columns):
    """(bands, bins) to (bands, blocks, columns), filled up with zeros."""
    return np.pad(kernels, [(0, 0), (0, -kernels.shape[1] % columns)]).reshape(len(kernels), -1, columns)


def _loud_ranges(above):
    """Yields (bands, first block, end): the blocks of (bands, blocks, columns) that are loud in neighbouring bands."""
    loud = np.abs(above).max(2) > LOUD * above.max()
    for bands in np.array_split(np.arange(len(above)), min(GROUPS, len(above))):
        blocks = np.flatnonzero(loud[bands].any(0))
        yield bands, int(blocks[0]), int(blocks[-1]) + 1
