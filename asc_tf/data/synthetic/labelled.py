"""Simple sounds that depend on the labels of a clip: modulated tones and bands of noise."""

from collections.abc import Sequence

import numpy as np

_PEAK = 0.9
_HOLD = 64  # samples for which a gain stays: finer would only cost time
_NOISE = 0.01  # amplitude of the noise below all events


def sound(labels: Sequence[int], rng: np.random.Generator, *, seconds: float, rate_hz: int) -> np.ndarray:
    """A clip with one event for each label.

    Args:
        labels: Indices of the classes. A class has its own pitch, band of noise and rhythm.
        rng: Of the clip: levels, times and noise.
        seconds: Length of the clip.
        rate_hz: Sample rate.

    Returns:
        (samples,) float32, of an amplitude of 0.9 at most.
    """
    samples = round(seconds * rate_hz)
    mix = _NOISE * rng.standard_normal(samples, dtype=np.float32)
    for label in labels:
        start = int(rng.uniform(0, 0.4) * samples)
        mix[start:] += np.float32(rng.uniform(0.05, 0.3)) * _event(label, rng, samples - start, rate_hz)
    return mix * np.float32(min(1, _PEAK / np.abs(mix).max()))


def _event(label, rng, samples, rate_hz):
    """The sound of a class: its settings are drawn from the label alone, their small changes from the clip's rng."""
    of_class = np.random.default_rng(label)
    pitch_hz, band_hz = 2 ** of_class.uniform(np.log2(150), np.log2(6000), 2) * 2 ** rng.normal(0, 0.03, 2)
    beat_hz, tone_share = of_class.uniform(0.5, 8) * 2 ** rng.normal(0, 0.1), of_class.uniform(0.1, 0.9)
    tone, carrier = (_sine(round(hz), samples, rate_hz) for hz in (pitch_hz, band_hz))  # whole Hz: a second repeats
    noise = _held(rng.standard_normal(4 + int(4 * samples / rate_hz * band_hz / 16), dtype=np.float32), samples)
    beat = _held(0.6 + 0.4 * np.sin(np.arange(0, samples, _HOLD) * (2 * np.pi * beat_hz / rate_hz)), samples)
    return (np.float32(tone_share) * tone + np.float32(1 - tone_share) * noise * carrier) * beat


def _sine(hz, samples, rate_hz):
    second = np.sin(np.arange(rate_hz) * (2 * np.pi * hz / rate_hz)).astype(np.float32)
    return np.resize(second, samples)


def _held(values, samples):
    """Values that stay for equally many samples each, (samples,) float32."""
    return np.repeat(values.astype(np.float32), -(-samples // len(values)))[:samples]
