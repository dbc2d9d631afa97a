"""Energy of gammatone filters in windows, the filters run sample by sample.

Source:  gammatone.gtgram.gtgram 1.0.3 (a cascade of four biquads, the mean of the squares in a window).

All bands and clips advance together, in one compiled loop: XLA holds the state in the cache, which the
filters' outputs, 128 times the wave, would not fit. The pair of poles is computed as one complex number:
the direct form loses 0.02 dB to float32 at 50 Hz, this one 0.0003 dB.
"""

import numpy as np
import tensorflow as tf

from asc_tf.features import _gammatone_bank


def energies(
    wave: tf.Tensor, bank: _gammatone_bank.Bank, window_samples: int, hop_samples: int, frames: int
) -> tf.Tensor:
    """Mean square of each filter's output in each window.

    Args:
        wave: (batch, samples) float32.
        bank: The filters.
        window_samples: Length of a window.
        hop_samples: Between the starts of windows.
        frames: Number of windows.

    Returns:
        (batch, bands, frames) float32.
    """
    whole = window_samples // hop_samples
    samples = (frames + whole) * hop_samples
    padded = tf.pad(wave, [[0, 0], [0, max(0, samples - wave.shape[1])]])[:, :samples]
    constants = [value.astype(np.float32) for value in _constants(bank)]
    heads, tails = _hop_energies(tf.transpose(padded), *constants, window_samples % hop_samples, hop_samples)
    sums = heads[whole : whole + frames] + sum((heads + tails)[hop : hop + frames] for hop in range(whole))
    return tf.transpose(sums / window_samples, (1, 2, 0))


def _constants(bank):
    """Real and imaginary part of the pole, and the quarter of the gain that each section takes."""
    return bank.decay * np.cos(bank.angle), bank.decay * np.sin(bank.angle), bank.gain**-0.25


@tf.function(jit_compile=True, autograph=False)
def _hop_energies(wave, real, imaginary, gain, head, hop):
    """Energy of the first `head` samples of every hop, and of the rest: two of (hops, clips, bands).

    wave: (samples, clips).  real, imaginary, gain: (bands,).
    """
    hops, clips, bands = wave.shape[0] // hop, tf.shape(wave)[1], real.shape[0]
    silent = tf.zeros([clips, bands])

    def run(start, stop, state):
        def advance(time, state, energy):
            state, output = _step(wave[time][:, None], state, real, imaginary, gain)
            return time + 1, state, energy + output**2

        return tf.while_loop(lambda time, *_: time < stop, advance, (start, state, silent))[1:]

    def one_hop(number, state, sums):
        state, first = run(number * hop, number * hop + head, state)
        state, rest = run(number * hop + head, (number + 1) * hop, state)
        return number + 1, state, tf.tensor_scatter_nd_update(sums, [[number]], tf.stack([first, rest])[None])

    begin = (0, [(silent, silent) for _ in _gammatone_bank.ZEROS], tf.zeros([hops, 2, clips, bands]))
    sums = tf.while_loop(lambda number, *_: number < hops, one_hop, begin)[2]
    return sums[:, 0], sums[:, 1]


def _step(x, state, real, imaginary, gain):
    """One sample through the four sections; returns their new state and the last one's output."""
    after = []
    for (before_real, before_imaginary), zero in zip(state, _gammatone_bank.ZEROS, strict=True):
        turned_real = real * before_real - imaginary * before_imaginary + x
        turned_imaginary = imaginary * before_real + real * before_imaginary
        after.append((turned_real, turned_imaginary))
        x = gain * (turned_real - np.float32(zero) * turned_imaginary)
    return after, x
