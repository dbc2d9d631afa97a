"""What do the mel front ends share: power of centred frames, filter banks, and their product?"""

import numpy as np
import tensorflow as tf

GROUPS = 16  # measured fastest on 2 cores: most of a dense bank's multiplications are with zeros


def htk_bank(bands, fft_samples, sample_rate_hz, min_hz, max_hz):
    """(fft_samples // 2 + 1, bands) triangles linear in Hz, corners equal on the HTK mel scale, peak 1.

    Source: torchaudio.functional.melscale_fbanks(norm=None, mel_scale="htk").
    """
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (min_hz, max_hz))
    # Rounded to float32 where the original rounds: it moves weights by 1e-5 and weak cells by 1e-3 dB.
    corners_mel = _linspace(lowest, highest, bands + 2)
    corners_hz = np.float32(700) * (np.float32(10) ** (corners_mel / np.float32(2595)) - np.float32(1))
    bins_hz = np.linspace(0, sample_rate_hz // 2, fft_samples // 2 + 1, dtype=np.float32)[:, None]
    rising = (bins_hz - corners_hz[:-2]) / np.diff(corners_hz)[:-1]
    falling = (corners_hz[2:] - bins_hz) / np.diff(corners_hz)[1:]
    return np.maximum(np.float32(0), np.minimum(rising, falling))


def _linspace(start, stop, count):
    """torch.linspace in float32: a rounded step, counted from the nearer end, one rounding of each sum."""
    start, stop = np.float32(start), np.float32(stop)
    step, place = np.float64((stop - start) / np.float32(count - 1)), np.arange(count)
    return np.where(place < count // 2, start + step * place, stop - step * (count - 1 - place)).astype(np.float32)


def grouped(bank):
    """The bank cut into groups of neighbouring bands, each with its own slice of bins.

    bank: (bins, bands).  Returns a list of (first bin, (bins of the group, bands of the group)).
    """
    groups = []
    for bands in np.array_split(np.arange(bank.shape[1]), min(GROUPS, bank.shape[1])):
        used = np.flatnonzero(bank[:, bands].any(1))
        low, high = (used[0], used[-1] + 1) if len(used) else (0, 1)
        groups.append((int(low), bank[low:high, bands]))
    return groups


def power_frames(wave, window_samples, hop_samples, fft_samples):
    """|FFT|^2 of centred frames: wave (batch, samples) to (batch, frames, fft_samples // 2 + 1).

    The edges are reflected by half an FFT, as torch.stft(center=True) does; the window is a periodic
    Hann, centred in the FFT. Only the window's own samples are framed: a shift changes phases alone.
    """
    half = fft_samples // 2
    inset = (fft_samples - window_samples) // 2
    frames_count = 1 + tf.shape(wave)[1] // hop_samples
    padded = tf.pad(wave, [[0, 0], [half, half]], mode="REFLECT")
    last = inset + (frames_count - 1) * hop_samples + window_samples
    frames = tf.signal.frame(padded[:, inset:last], window_samples, hop_samples)
    spectrum = tf.signal.rfft(frames * tf.signal.hann_window(window_samples, periodic=True), [fft_samples])
    return tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2


def apply_bank(power, groups):
    """(batch, frames, bins) to (batch, bands, frames) by the groups of `grouped`."""
    mels = [tf.matmul(power[..., low : low + len(weights)], weights) for low, weights in groups]
    return tf.transpose(tf.concat(mels, -1), (0, 2, 1))
