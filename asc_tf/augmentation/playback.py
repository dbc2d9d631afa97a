"""What if the scene were played by a loudspeaker in a room and recorded again?

Source: simulated. Published systems trained on recordings of their own that are not public, and no figures of
        their rooms and devices are known: the settings are yours, and nothing here reproduces theirs.
Chain:  small loudspeaker (band limits) -> its soft clipping -> room (decaying noise after the direct sound)
        -> microphone (responses of a folder, if one is named) -> noise; then the clip's own RMS again.
"""

import numpy as np
import tensorflow as tf

from asc_tf.augmentation import _draws, _impulse

ON = "wave"
ORDER = 2  # 12 dB an octave, as a loudspeaker in a closed box falls below its resonance


def apply(
    batch,
    seed,
    sample_rate_hz,
    *,
    p: float,
    low_hz: list[float],
    high_hz: list[float],
    drive_db: list[float],
    rt60_s: list[float],
    direct_db: list[float],
    snr_db: list[float],
    folder: str = "",
):
    """With probability p a clip goes through the chain; of each [low, high] it draws a number of its own, uniformly.

    low_hz, high_hz: -3 dB points of the loudspeaker.   drive_db: RMS of its input over the level it clips at.
    rt60_s:    time in which the room's sound falls by 60 dB.   direct_db: energy of direct over room sound.
    snr_db:    sound over white noise at the microphone.   folder: impulse responses of microphones, or "".
    """
    spans = {"low_hz": low_hz, "high_hz": high_hz, "rt60_s": rt60_s}
    _check(p, spans, {"drive_db": drive_db, "direct_db": direct_db, "snr_db": snr_db})
    hit_seed, *seeds, room_seed, microphone_seed, noise_seed = _draws.split(seed, 10)
    rows = tf.where(_draws.uniform([tf.shape(batch["wave"])[0]], hit_seed) < p)
    wave = tf.gather(batch["wave"], rows[:, 0])
    spans = (low_hz, high_hz, drive_db, rt60_s, direct_db, snr_db)
    own = [_draws.uniform([tf.shape(wave)[0], 1], s, *span) for s, span in zip(seeds, spans, strict=True)]
    heard = clipped(loudspeaker(wave, sample_rate_hz, *own[:2]), own[2])
    taps = min(round(rt60_s[1] * sample_rate_hz), wave.shape[1])
    heard = through(heard, room(room_seed, taps, sample_rate_hz, *own[3:5]))
    if folder:
        responses = _impulse.responses("playback", folder, sample_rate_hz)
        picked = _draws.integers([tf.shape(wave)[0]], microphone_seed, 0, len(responses))
        heard = _impulse.convolve(heard, picked, responses)
    noise = tf.random.stateless_normal(tf.shape(heard), noise_seed)
    heard += noise * rms(heard) * 10 ** (-own[5] / 20)
    heard *= tf.math.divide_no_nan(rms(wave), rms(heard))
    return batch | {"wave": tf.tensor_scatter_nd_update(batch["wave"], rows, heard)}


def loudspeaker(wave, sample_rate_hz, low_hz, high_hz):
    """wave (batch, samples) within low_hz ... high_hz, both (batch, 1): Butterworth's magnitudes, no delay."""
    samples = wave.shape[1]
    size = _impulse.fft_size(2 * samples)
    hz = tf.constant(np.maximum(np.fft.rfftfreq(size, 1 / sample_rate_hz), 1e-3), tf.float32)
    power = 1 / ((1 + (low_hz / hz) ** (2 * ORDER)) * (1 + (hz / high_hz) ** (2 * ORDER)))
    filtered = tf.signal.rfft(wave, [size]) * tf.cast(tf.sqrt(power), tf.complex64)
    return tf.signal.irfft(filtered, [size])[:, :samples]


def clipped(wave, drive_db):
    """wave bent towards a ceiling of its RMS / 10^(drive_db / 20): c tanh(x / c)."""
    ceiling = rms(wave) / 10 ** (drive_db / 20)
    return ceiling * tf.tanh(tf.math.divide_no_nan(wave, ceiling))


def room(seed, taps, sample_rate_hz, rt60_s, direct_db):
    """(batch, 1 + taps): 1, then noise that falls by 60 dB in rt60_s, of an energy of 10^(-direct_db / 10)."""
    time_s = tf.range(1, taps + 1, dtype=tf.float32) / sample_rate_hz
    tail = tf.random.stateless_normal([tf.shape(rt60_s)[0], taps], seed) * 10 ** (-3 * time_s / rt60_s)
    tail *= 10 ** (-direct_db / 20) * tf.math.rsqrt(tf.reduce_sum(tail**2, 1, keepdims=True) + 1e-30)
    return tf.concat([tf.ones_like(rt60_s), tail], 1)


def through(wave, responses):
    """The first samples of wave (batch, samples) convolved with responses (batch, taps)."""
    size = [_impulse.fft_size(wave.shape[1] + responses.shape[1])]
    return tf.signal.irfft(tf.signal.rfft(wave, size) * tf.signal.rfft(responses, size), size)[:, : wave.shape[1]]


def rms(wave):
    """(batch, 1)."""
    return tf.sqrt(tf.reduce_mean(wave**2, 1, keepdims=True))


def _check(p, positive, any_sign):
    _draws.check_share("playback", p)
    for name, span in positive.items():
        _draws.check_span("playback", name, span, least=1e-3)
    for name, span in any_sign.items():
        _draws.check_span("playback", name, span)
