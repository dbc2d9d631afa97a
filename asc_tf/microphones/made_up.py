"""Made-up impulse responses of microphones: band limits, resonances and a short decay, different in each."""

import numpy as np

RATE_HZ = 44_100
_SAMPLES = RATE_HZ // 8
_POINTS_HZ = np.fft.rfftfreq(2 * _SAMPLES, 1 / RATE_HZ)[1:]


def responses(count: int, seed: int) -> np.ndarray:
    """Impulse responses of some microphones.

    Args:
        count: Number of microphones; the first ones are the same for any number.
        seed: Of all random numbers.

    Returns:
        (count, samples) float64 at RATE_HZ, an eighth of a second, of minimum phase and at most 0 dB at all
        frequencies.
    """
    return np.stack([_response(np.random.default_rng([seed, number])) for number in range(count)])


def _response(rng):
    """The response of one microphone, (samples,)."""
    octaves = np.log2(_POINTS_HZ)
    lowest_hz, highest_hz = (
        2 ** rng.uniform(np.log2(40), np.log2(300)),
        2 ** rng.uniform(np.log2(4000), np.log2(16_000)),
    )
    decibels = -rng.uniform(6, 18) * np.maximum(np.log2(lowest_hz) - octaves, 0)
    decibels -= rng.uniform(12, 30) * np.maximum(octaves - np.log2(highest_hz), 0)
    for _ in range(rng.integers(2, 5)):
        resonance = 2 ** rng.uniform(np.log2(200), np.log2(10_000))
        decibels += rng.uniform(-6, 9) * np.exp(-(((octaves - np.log2(resonance)) / rng.uniform(0.1, 0.5)) ** 2))
    return _minimum_phase(np.concatenate([decibels[:1], decibels]) - decibels.max())


def _minimum_phase(decibels):
    """Folds the cepstrum of a magnitude response, as in Oppenheim and Schafer, Discrete-Time Signal Processing."""
    cepstrum = np.fft.irfft(np.maximum(decibels, -100) * np.log(10) / 20)
    cepstrum[1:_SAMPLES] *= 2
    cepstrum[_SAMPLES + 1 :] = 0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:_SAMPLES]
