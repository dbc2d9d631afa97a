"""What are the sounds of the made-up scenes made with: filters, noises, tones, bursts, voices, rooms?

Sounds are (SAMPLES,) float32 and circular: their end runs into their beginning, so that no filter leaves a silence.
Settings that draw from `rng` differ with its state; levels are in dB, pitches in Hz, times in seconds.
"""

import numpy as np
from scipy import fft

RATE_HZ = 44_100
SECONDS = 4
SAMPLES = RATE_HZ * SECONDS
TIME_S = np.arange(SAMPLES) / RATE_HZ
_BINS = SAMPLES // 2 + 1
_BINS_A_GAIN = 8  # filters change every 2 Hz: finer would only cost time
_OCTAVES = np.log2(np.maximum(np.arange(0, _BINS, _BINS_A_GAIN) / SECONDS, 10.0))
_HELD = 4  # samples for which a slow curve stays: finer would only cost time
_COARSE = 4  # voices are made at a quarter of the rate: their harmonics end below 5.5 kHz
CYCLE = np.arange(8192) / 8192
_TURN = 2**32  # a phase is an unsigned 32-bit share of a turn: it wraps by itself


def gains(points):
    """Amplitudes (SAMPLES // 2 + 1,) of a filter from (Hz, dB) points, straight lines over octaves, no DC."""
    hz, decibels = np.array(sorted(points), dtype=float).T
    amplitudes = np.repeat(_amplitude(np.interp(_OCTAVES, np.log2(hz), decibels)), _BINS_A_GAIN)[:_BINS]
    amplitudes[0] = 0
    return amplitudes


def noise(rng, points):
    """Noise with the spectrum given by (Hz, dB) points."""
    # So many bins sum to a normal distribution whatever theirs is; the uniform one is quick.
    spectrum = (rng.random(2 * _BINS, dtype=np.float32) - np.float32(0.5)).view(np.complex64)
    return unit(fft.irfft(spectrum * gains(points), SAMPLES))


def wander(rng, per_second, spread, samples=SAMPLES):
    """A slow curve (samples,): normal values of the given spread, `per_second` of them, joined by lines."""
    count = max(3, round(per_second * SECONDS) + 1)
    values = rng.normal(0.0, spread, count)
    values[-1] = values[0]
    curve = np.interp(np.arange(0, samples, _HELD), np.linspace(0, samples, count), values)
    return np.roll(np.repeat(curve.astype(np.float32), _HELD), rng.integers(samples))


def filtered(sound, points):
    """The sound through a filter given by (Hz, dB) points."""
    return fft.irfft(fft.rfft(sound) * gains(points), SAMPLES)


def reverberated(rng, sound, decay_s):
    """Adds a room: echoes falling by 60 dB in `decay_s`, the high ones sooner."""
    tail = (rng.random(SAMPLES, dtype=np.float32) - np.float32(0.5)) * decay(decay_s / 6.9)
    room = fft.rfft(tail) * gains([(60, -6), (200, 0), (1500, -2), (8000, -14)])
    return unit(fft.irfft(fft.rfft(sound) * room, SAMPLES))


def voices(rng, tuning, *, count, pitch_hz):
    """Pulse trains with syllables through the formants of two vowels, and sibilants."""
    coarse = SAMPLES // _COARSE
    vowels = np.zeros((2, coarse), np.float32)
    for _ in range(count):
        pitch = rng.uniform(*pitch_hz) * np.exp(wander(rng, 3, 0.1, coarse))
        pulses = wave(np.exp(-6 * CYCLE), _COARSE * pitch) * _syllables(rng, coarse)
        vowels[rng.integers(2)] += pulses * rng.uniform(0.3, 1)
        vowels[rng.integers(2)] += pulses * rng.uniform(0, 0.5)
    spectra = np.zeros((2, _BINS), np.complex64)
    spectra[:, : coarse // 2] = fft.rfft(vowels)[:, :-1]
    spectra[0] *= _formants(300 * tuning, 2100 * tuning)
    spectra[1] *= _formants(650 * tuning, 1250 * tuning)
    voiced = fft.irfft(spectra.sum(axis=0), SAMPLES)
    sibilants = noise(rng, [(2500, -40), (5500, 0), (9000, -8), (15000, -25)]) * np.exp(wander(rng, 8, 1.5) - 1.5)
    return unit(unit(voiced) + rng.uniform(0.05, 0.2) * sibilants)


def _formants(first_hz, second_hz):
    return gains([(90, -25), (first_hz, 0), (1.6 * first_hz, -9), (second_hz, -4), (1.5 * second_hz, -22), (5500, -45)])


def _syllables(rng, samples):
    """The loudness of one voice: syllables of 3 to 6 a second, with pauses."""
    return np.maximum(wander(rng, rng.uniform(6, 12), 1, samples), 0) * (wander(rng, 0.8, 1, samples) > -0.6)


def harmonics(rng, pitch_hz, *, count, fall_db):
    """A tone (SAMPLES,) of a changing pitch with `count` partials, each some `fall_db` below the one before."""
    levels = _amplitude(-fall_db * np.arange(count) + rng.normal(0, 4, count))
    partials = [level * np.sin(2 * np.pi * (k + 1) * CYCLE + 6 * k * k) for k, level in enumerate(levels)]
    return unit(wave(sum(partials), pitch_hz))


def wave(cycle, hz):
    """A periodic sound of the given cycle (8192,) at the pitch `hz`, a number for each sample."""
    phase = np.cumsum(np.asarray(hz * (_TURN / RATE_HZ), np.uint32), dtype=np.uint32)
    return cycle.astype(np.float32)[phase >> np.uint32(19)]


def bursts(rng, starts, length_s, centre_hz):
    """Short noises at the given times, each of another strength."""
    train = np.zeros(SAMPLES, np.float32)
    train[(np.asarray(starts) * RATE_HZ).astype(int) % SAMPLES] = rng.lognormal(0, 0.5, len(starts))
    kernel = (rng.random(SAMPLES, dtype=np.float32) - np.float32(0.5)) * decay(length_s)
    colour = gains([(centre_hz / 6, -24), (centre_hz, 0), (6 * centre_hz, -24)])
    return unit(fft.irfft(fft.rfft(train) * fft.rfft(kernel) * colour, SAMPLES))


def regular(rng, per_second, jitter_s):
    """Times in seconds, `per_second` of them, starting anywhere."""
    times = np.arange(max(1, int(SECONDS * per_second))) / per_second
    return times + rng.uniform(0, SECONDS) + rng.normal(0, jitter_s + 1e-9, len(times))


def ring(sound, start_s, tone_hz, decay_s, level=1.0):
    """Adds a tone that dies away, as of something struck."""
    since = TIME_S[: int(min(5 * decay_s, SECONDS) * RATE_HZ)].astype(np.float32)
    tone = np.sin(np.float32(2 * np.pi * tone_hz) * since)
    _add(sound, start_s, np.float32(level) * decay(decay_s, len(since)) * tone)


def chirp(sound, start_s, length_s, from_hz, to_hz, level=1.0):
    """Adds one tone with a rounded beginning and end."""
    since = TIME_S[: int(length_s * RATE_HZ)]
    tone = np.sin(2 * np.pi * (from_hz * since + (to_hz - from_hz) * since**2 / (2 * length_s)))
    _add(sound, start_s, level * tone * np.sin(np.pi * since / length_s))


def _add(sound, start_s, piece):
    first = int(start_s * RATE_HZ) % SAMPLES
    before_end = piece[: SAMPLES - first]
    sound[first : first + len(before_end)] += before_end
    sound[: len(piece) - len(before_end)] += piece[len(before_end) :]


def around(moment_s):
    """Seconds from a moment, the recording being a circle."""
    middle = (TIME_S - SECONDS / 2).astype(np.float32)
    return np.roll(middle, int((moment_s - SECONDS / 2) * RATE_HZ))


def decay(length_s, samples=SAMPLES):
    """An exponential from 1 down; 1/e after `length_s`."""
    return np.exp(TIME_S[:samples].astype(np.float32) * np.float32(-1 / length_s))


def falling(rng, knee_hz, slope_db):
    """Noise that falls by `slope_db` an octave above the knee."""
    return noise(rng, [(15, -20), (knee_hz, 0), (22050, -slope_db * np.log2(22050 / knee_hz))])


def swell(rng, per_second, spread_db):
    """A slowly changing loudness, as a factor."""
    return _amplitude(wander(rng, per_second, spread_db))


def _amplitude(decibels):
    return np.exp(np.asarray(decibels, np.float32) * np.float32(np.log(10) / 20))


def unit(sound):
    """The sound at a root mean square of 1."""
    sound = np.asarray(sound, np.float32)
    return sound / np.float32(max(np.sqrt(np.mean(np.square(sound))), 1e-9))
