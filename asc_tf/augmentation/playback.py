"""Simulation of a clip that is played by a loudspeaker in a room and recorded again.

Source: simulated. Published systems trained on recordings of their own that are not public, and no figures of
        their rooms and devices are known: the settings are yours, and nothing here reproduces theirs.
Chain:  small loudspeaker (band limits) -> its soft clipping -> room (decaying noise after the direct sound)
        -> microphone (responses of a folder, if one is named) -> noise; then the clip's original RMS.
"""

from typing import Annotated

import numpy as np
import tensorflow as tf

from asc_tf.augmentation import _draws, _impulse
from asc_tf.recipe.registry import Allowed

ON = "wave"
ORDER = 2  # 12 dB an octave, as a loudspeaker in a closed box falls below its resonance


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    sample_rate_hz: int,
    *,
    p: Annotated[float, Allowed(0, 1)],
    low_hz: list[float],
    high_hz: list[float],
    drive_db: list[float],
    rt60_s: list[float],
    direct_db: list[float],
    snr_db: list[float],
    folder: str = "",
) -> dict[str, tf.Tensor]:
    """Passes a clip, with probability p, through the chain; each [low, high] is drawn from uniformly for every clip.

    Args:
        batch: See the package.
        seed: (2,) int32.
        sample_rate_hz: Of the waves.
        p: Probability for each clip.
        low_hz: Lower -3 dB point of the loudspeaker.
        high_hz: Upper -3 dB point of the loudspeaker.
        drive_db: RMS of the loudspeaker's input over the level it clips at.
        rt60_s: Time in which the room's sound falls by 60 dB.
        direct_db: Energy of direct over room sound.
        snr_db: Sound over white noise at the microphone.
        folder: Of impulse responses of microphones; "built_in" for made-up ones, "" for none.

    Returns:
        The batch with another "wave".

    Raises:
        UserError: A setting out of range, or a folder without usable responses.
    """
    positive = {"low_hz": low_hz, "high_hz": high_hz, "rt60_s": rt60_s}
    _check(p, positive, any_sign={"drive_db": drive_db, "direct_db": direct_db, "snr_db": snr_db})
    hit_seed, *seeds, room_seed, microphone_seed, noise_seed = _draws.split(seed, 10)
    rows = tf.where(_draws.uniform([tf.shape(batch["wave"])[0]], hit_seed) < p)  # (chosen clips, 1)
    wave = tf.gather(batch["wave"], rows[:, 0])
    spans = (low_hz, high_hz, drive_db, rt60_s, direct_db, snr_db)
    low, high, drive, rt60, direct, snr = (
        _draws.uniform([tf.shape(wave)[0], 1], s, *span) for s, span in zip(seeds, spans, strict=True)
    )
    out = soft_clipped(loudspeaker(wave, sample_rate_hz, low, high), drive)
    taps = min(round(rt60_s[1] * sample_rate_hz), wave.shape[1])
    out = convolve(out, room(room_seed, taps, sample_rate_hz, rt60, direct))
    if folder:
        responses = _impulse.responses("playback", folder, sample_rate_hz)
        indices = _draws.integers([tf.shape(wave)[0]], microphone_seed, 0, len(responses))
        out = _impulse.convolve(out, indices, responses)
    noise = tf.random.stateless_normal(tf.shape(out), noise_seed)
    out += noise * rms(out) * 10 ** (-snr / 20)
    out *= tf.math.divide_no_nan(rms(wave), rms(out))
    return batch | {"wave": tf.tensor_scatter_nd_update(batch["wave"], rows, out)}


def loudspeaker(wave: tf.Tensor, sample_rate_hz: int, low_hz: tf.Tensor, high_hz: tf.Tensor) -> tf.Tensor:
    """A wave within the band of a loudspeaker: Butterworth's magnitudes, no delay.

    Args:
        wave: (batch, samples).
        sample_rate_hz: Of the wave.
        low_hz: (batch, 1), lower -3 dB point.
        high_hz: (batch, 1), upper -3 dB point.

    Returns:
        (batch, samples).
    """
    samples = wave.shape[1]
    size = _impulse.fft_size(2 * samples)
    hz = tf.constant(np.maximum(np.fft.rfftfreq(size, 1 / sample_rate_hz), 1e-3), tf.float32)
    power = 1 / ((1 + (low_hz / hz) ** (2 * ORDER)) * (1 + (hz / high_hz) ** (2 * ORDER)))  # (batch, bins)
    filtered = tf.signal.rfft(wave, [size]) * tf.cast(tf.sqrt(power), tf.complex64)
    return tf.signal.irfft(filtered, [size])[:, :samples]


def soft_clipped(wave: tf.Tensor, drive_db: tf.Tensor | float) -> tf.Tensor:
    """c tanh(x / c) of a wave (batch, samples), with a ceiling c of its RMS / 10^(drive_db / 20)."""
    ceiling = rms(wave) / 10 ** (drive_db / 20)
    return ceiling * tf.tanh(tf.math.divide_no_nan(wave, ceiling))


def room(seed: tf.Tensor, taps: int, sample_rate_hz: int, rt60_s: tf.Tensor, direct_db: tf.Tensor) -> tf.Tensor:
    """Impulse responses of random rooms: 1, then noise that decays.

    Args:
        seed: (2,) int32.
        taps: Length of the noise.
        sample_rate_hz: Of the responses.
        rt60_s: (batch, 1), time in which the noise falls by 60 dB.
        direct_db: (batch, 1); the noise has an energy of 10^(-direct_db / 10).

    Returns:
        (batch, 1 + taps) float32.
    """
    time_s = tf.range(1, taps + 1, dtype=tf.float32) / sample_rate_hz
    tail = tf.random.stateless_normal([tf.shape(rt60_s)[0], taps], seed) * 10 ** (-3 * time_s / rt60_s)
    tail *= 10 ** (-direct_db / 20) * tf.math.rsqrt(tf.reduce_sum(tail**2, 1, keepdims=True) + 1e-30)
    return tf.concat([tf.ones_like(rt60_s), tail], 1)


def convolve(wave: tf.Tensor, responses: tf.Tensor) -> tf.Tensor:
    """Convolution of each clip (batch, samples) with its response (batch, taps), cut to the clip's length."""
    size = [_impulse.fft_size(wave.shape[1] + responses.shape[1])]
    return tf.signal.irfft(tf.signal.rfft(wave, size) * tf.signal.rfft(responses, size), size)[:, : wave.shape[1]]


def rms(wave: tf.Tensor) -> tf.Tensor:
    """Root mean square of each clip, (batch, samples) to (batch, 1)."""
    return tf.sqrt(tf.reduce_mean(wave**2, 1, keepdims=True))


def _check(p, positive, any_sign):
    _draws.check_share("playback", p)
    for name, span in positive.items():
        _draws.check_span("playback", name, span, least=1e-3)
    for name, span in any_sign.items():
        _draws.check_span("playback", name, span)
