"""Building blocks of the synthetic scenes' sounds: filters, noises, tones, bursts, voices, rooms.

Sounds are (SAMPLES,) float32 and circular: their end continues into their beginning, so that no filter leaves a
silence. Functions of `rng` draw from it; levels are in dB, pitches in Hz, times in seconds.
"""

from collections.abc import Sequence

import numpy as np
from scipy import fft

RATE_HZ = 44_100
SECONDS = 4
SAMPLES = RATE_HZ * SECONDS
TIME_S = np.arange(SAMPLES) / RATE_HZ
Points = Sequence[tuple[float, float]]  # (Hz, dB) of a filter, straight lines over octaves between them
_BINS = SAMPLES // 2 + 1
_BINS_A_GAIN = 8  # filters change every 2 Hz: finer would only cost time
_OCTAVES = np.log2(np.maximum(np.arange(0, _BINS, _BINS_A_GAIN) / SECONDS, 10.0))
_HOLD = 4  # samples for which a slow curve stays: finer would only cost time
_COARSE = 4  # voices are computed at a quarter of the rate: their harmonics end below 5.5 kHz
CYCLE = np.arange(8192) / 8192
_TURN = 2**32  # a phase is an unsigned 32-bit fraction of a turn, so that it wraps without a modulo


def filter_gains(points: Points) -> np.ndarray:
    """Amplitudes of a filter at the bins of a sound's Fourier transform, (SAMPLES // 2 + 1,) float32; 0 at 0 Hz."""
    hz, decibels = np.array(sorted(points), dtype=float).T
    amplitudes = np.repeat(_amplitude(np.interp(_OCTAVES, np.log2(hz), decibels)), _BINS_A_GAIN)[:_BINS]
    amplitudes[0] = 0
    return amplitudes


def noise(rng: np.random.Generator, points: Points) -> np.ndarray:
    """Noise with the spectrum of these points, (SAMPLES,) float32 of an RMS of 1."""
    # So many bins sum to a normal distribution whatever theirs is; the uniform one is quick.
    spectrum = (rng.random(2 * _BINS, dtype=np.float32) - np.float32(0.5)).view(np.complex64)
    return unit_rms(fft.irfft(spectrum * filter_gains(points), SAMPLES))


def slow_curve(rng: np.random.Generator, per_second: float, std: float, samples: int = SAMPLES) -> np.ndarray:
    """Random curve of straight lines between normal values.

    Args:
        rng: Drawn from.
        per_second: Values a second of a sound.
        std: Of the values; their mean is 0.
        samples: Length of the curve.

    Returns:
        (samples,) float32.
    """
    count = max(3, round(per_second * SECONDS) + 1)
    values = rng.normal(0.0, std, count)
    values[-1] = values[0]
    curve = np.interp(np.arange(0, samples, _HOLD), np.linspace(0, samples, count), values)
    return np.roll(np.repeat(curve.astype(np.float32), _HOLD), rng.integers(samples))


def slow_gain(rng: np.random.Generator, per_second: float, std_db: float) -> np.ndarray:
    """A `slow_curve` of decibels as factors, (SAMPLES,) float32."""
    return _amplitude(slow_curve(rng, per_second, std_db))


def filtered(sound: np.ndarray, points: Points) -> np.ndarray:
    """A sound (SAMPLES,) after a filter."""
    return fft.irfft(fft.rfft(sound) * filter_gains(points), SAMPLES)


def reverberated(rng: np.random.Generator, sound: np.ndarray, decay_s: float) -> np.ndarray:
    """Echoes of a sound in a room, without the sound itself.

    Args:
        rng: Drawn from.
        sound: (SAMPLES,).
        decay_s: Time in which the echoes fall by 60 dB; high frequencies are weaker.

    Returns:
        (SAMPLES,) float32 of an RMS of 1.
    """
    tail = (rng.random(SAMPLES, dtype=np.float32) - np.float32(0.5)) * decay(decay_s / 6.9)
    room = fft.rfft(tail) * filter_gains([(60, -6), (200, 0), (1500, -2), (8000, -14)])
    return unit_rms(fft.irfft(fft.rfft(sound) * room, SAMPLES))


def voices(rng: np.random.Generator, tuning: float, *, count: int, pitch_hz: tuple[float, float]) -> np.ndarray:
    """Voices: pulse trains with syllables through the formants of two vowels, and sibilants.

    Args:
        rng: Drawn from.
        tuning: Factor of the formants' frequencies.
        count: Number of voices.
        pitch_hz: (low, high), uniform, of each voice.

    Returns:
        (SAMPLES,) float32 of an RMS of 1.
    """
    coarse = SAMPLES // _COARSE
    vowels = np.zeros((2, coarse), np.float32)
    for _ in range(count):
        pitch = rng.uniform(*pitch_hz) * np.exp(slow_curve(rng, 3, 0.1, coarse))
        pulses = periodic(np.exp(-6 * CYCLE), _COARSE * pitch) * _syllables(rng, coarse)
        vowels[rng.integers(2)] += pulses * rng.uniform(0.3, 1)
        vowels[rng.integers(2)] += pulses * rng.uniform(0, 0.5)
    spectra = np.zeros((2, _BINS), np.complex64)
    spectra[:, : coarse // 2] = fft.rfft(vowels)[:, :-1]
    spectra[0] *= _formants(300 * tuning, 2100 * tuning)
    spectra[1] *= _formants(650 * tuning, 1250 * tuning)
    voiced = fft.irfft(spectra.sum(axis=0), SAMPLES)
    sibilants = noise(rng, [(2500, -40), (5500, 0), (9000, -8), (15000, -25)]) * np.exp(slow_curve(rng, 8, 1.5) - 1.5)
    return unit_rms(unit_rms(voiced) + rng.uniform(0.05, 0.2) * sibilants)


def _formants(first_hz, second_hz):
    return filter_gains(
        [(90, -25), (first_hz, 0), (1.6 * first_hz, -9), (second_hz, -4), (1.5 * second_hz, -22), (5500, -45)]
    )


def _syllables(rng, samples):
    """The loudness of one voice: syllables of 3 to 6 a second, with pauses."""
    return np.maximum(slow_curve(rng, rng.uniform(6, 12), 1, samples), 0) * (slow_curve(rng, 0.8, 1, samples) > -0.6)


def harmonics(rng: np.random.Generator, pitch_hz: np.ndarray, *, count: int, fall_db: float) -> np.ndarray:
    """Tone of a changing pitch.

    Args:
        rng: Drawn from.
        pitch_hz: (SAMPLES,).
        count: Number of partials.
        fall_db: By which each partial is below the one before, on average.

    Returns:
        (SAMPLES,) float32 of an RMS of 1.
    """
    levels = _amplitude(-fall_db * np.arange(count) + rng.normal(0, 4, count))
    partials = [level * np.sin(2 * np.pi * (k + 1) * CYCLE + 6 * k * k) for k, level in enumerate(levels)]
    return unit_rms(periodic(sum(partials), pitch_hz))


def periodic(cycle: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """Repeats a cycle at a changing pitch.

    Args:
        cycle: (8192,), values over one period.
        hz: (samples,) pitch.

    Returns:
        (samples,) float32.
    """
    phase = np.cumsum(np.asarray(hz * (_TURN / RATE_HZ), np.uint32), dtype=np.uint32)
    return cycle.astype(np.float32)[phase >> np.uint32(19)]


def bursts(rng: np.random.Generator, starts_s: Sequence[float], length_s: float, centre_hz: float) -> np.ndarray:
    """Short bursts of one noise, each of another strength.

    Args:
        rng: Drawn from.
        starts_s: Of the bursts.
        length_s: Time in which a burst falls to 1/e.
        centre_hz: Frequency with most of the energy.

    Returns:
        (SAMPLES,) float32 of an RMS of 1.
    """
    train = np.zeros(SAMPLES, np.float32)
    train[(np.asarray(starts_s) * RATE_HZ).astype(int) % SAMPLES] = rng.lognormal(0, 0.5, len(starts_s))
    kernel = (rng.random(SAMPLES, dtype=np.float32) - np.float32(0.5)) * decay(length_s)
    colour = filter_gains([(centre_hz / 6, -24), (centre_hz, 0), (6 * centre_hz, -24)])
    return unit_rms(fft.irfft(fft.rfft(train) * fft.rfft(kernel) * colour, SAMPLES))


def regular_times(rng: np.random.Generator, per_second: float, jitter_s: float) -> np.ndarray:
    """Regular times from a random first one.

    Args:
        rng: Drawn from.
        per_second: Times a second of a sound.
        jitter_s: Std of each time.

    Returns:
        (times,) float64, in seconds.
    """
    times = np.arange(max(1, int(SECONDS * per_second))) / per_second
    return times + rng.uniform(0, SECONDS) + rng.normal(0, jitter_s + 1e-9, len(times))


def add_ring(sound: np.ndarray, start_s: float, tone_hz: float, decay_s: float, level: float = 1.0) -> None:
    """Adds a decaying tone to a sound in place, as of something struck.

    Args:
        sound: (SAMPLES,), changed.
        start_s: Of the tone.
        tone_hz: Its frequency.
        decay_s: Time in which it falls to 1/e.
        level: Its first amplitude.
    """
    time_s = TIME_S[: int(min(5 * decay_s, SECONDS) * RATE_HZ)].astype(np.float32)
    tone = np.sin(np.float32(2 * np.pi * tone_hz) * time_s)
    _add(sound, start_s, np.float32(level) * decay(decay_s, len(time_s)) * tone)


def add_chirp(
    sound: np.ndarray, start_s: float, length_s: float, from_hz: float, to_hz: float, level: float = 1.0
) -> None:
    """Adds a tone of a changing frequency, with a rounded beginning and end, to a sound in place.

    Args:
        sound: (SAMPLES,), changed.
        start_s: Of the tone.
        length_s: Its duration.
        from_hz: Its first frequency.
        to_hz: Its last frequency.
        level: Its largest amplitude.
    """
    time_s = TIME_S[: int(length_s * RATE_HZ)]
    tone = np.sin(2 * np.pi * (from_hz * time_s + (to_hz - from_hz) * time_s**2 / (2 * length_s)))
    _add(sound, start_s, level * tone * np.sin(np.pi * time_s / length_s))


def _add(sound, start_s, piece):
    first = int(start_s * RATE_HZ) % SAMPLES
    before_end = piece[: SAMPLES - first]
    sound[first : first + len(before_end)] += before_end
    sound[: len(piece) - len(before_end)] += piece[len(before_end) :]


def seconds_from(moment_s: float) -> np.ndarray:
    """Signed seconds from a moment, from -SECONDS / 2 to SECONDS / 2 around the circle, (SAMPLES,) float32."""
    middle = (TIME_S - SECONDS / 2).astype(np.float32)
    return np.roll(middle, int((moment_s - SECONDS / 2) * RATE_HZ))


def decay(length_s: float, samples: int = SAMPLES) -> np.ndarray:
    """Exponential from 1 down, 1/e after `length_s`, (samples,) float32."""
    return np.exp(TIME_S[:samples].astype(np.float32) * np.float32(-1 / length_s))


def lowpass_noise(rng: np.random.Generator, knee_hz: float, slope_db: float) -> np.ndarray:
    """Noise that falls by `slope_db` an octave above the knee, (SAMPLES,) float32 of an RMS of 1."""
    return noise(rng, [(15, -20), (knee_hz, 0), (22050, -slope_db * np.log2(22050 / knee_hz))])


def _amplitude(decibels):
    return np.exp(np.asarray(decibels, np.float32) * np.float32(np.log(10) / 20))


def unit_rms(sound: np.ndarray) -> np.ndarray:
    """The sound as float32, scaled to an RMS of 1."""
    sound = np.asarray(sound, np.float32)
    return sound / np.float32(max(np.sqrt(np.mean(np.square(sound))), 1e-9))
