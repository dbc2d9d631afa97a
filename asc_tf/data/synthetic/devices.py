"""Simulated recording devices of the synthetic scenes."""

from dataclasses import dataclass

import numpy as np

from asc_tf.data.synthetic.synthesis import Points, filtered, noise


@dataclass(frozen=True)
class Device:
    """Microphone and electronics of a device.

    Args:
        gain_db: Before the limiter.
        noise_dbfs: RMS of the device's noise.
        noise_slope_db: Of the noise, per octave; 0 is white, negative is dull.
        limit: Amplitude that the limiter approaches and never exceeds, from 0 to 1.
        response: (Hz, dB) points.
    """

    gain_db: float
    noise_dbfs: float
    noise_slope_db: float
    limit: float
    response: Points


# a is a good recorder, b and c are telephones, s1 to s6 are simulated; s4 to s6 lie outside the range of the others.
DEVICES = {
    "a": Device(0.0, -80, 0.0, 0.7, (
        (20, -6), (60, 0), (10_000, 0), (20_000, -2),
    )),
    "b": Device(2.0, -66, 0.0, 0.7, (
        (40, -24), (120, -4), (300, 0), (2500, 1), (4500, 6), (8000, 2), (15_000, -10), (16_500, -50),
    )),
    "c": Device(-2.0, -68, -1.5, 0.7, (
        (40, -14), (90, -3), (1000, 0), (3500, 4), (7000, -2), (11_000, 3), (18_000, -20),
    )),
    "s1": Device(1.0, -70, 0.0, 0.3, (
        (60, -12), (200, 2), (900, -3), (2200, 3), (6000, -4), (14_000, -12),
    )),
    "s2": Device(-3.0, -67, 0.0, 0.7, (
        (40, -4), (250, 4), (1200, 0), (3000, -5), (9000, 2), (18_000, -8),
    )),
    "s3": Device(3.0, -64, -1.0, 0.25, (
        (80, -14), (300, -3), (1500, 3), (5000, 5), (10_000, -3), (17_000, -18),
    )),
    "s4": Device(3.0, -61, -2.0, 0.2, (
        (70, -20), (250, -7), (700, 3), (1800, 7), (3200, -3), (6500, 4), (9000, -12), (13_000, -36),
    )),
    "s5": Device(-3.0, -59, 1.5, 0.7, (
        (30, 2), (120, 6), (400, 3), (1000, -5), (2600, -8), (5200, 4), (8000, 9), (16_000, 4),
    )),
    "s6": Device(4.0, -58, -3.0, 0.15, (
        (90, -18), (350, 5), (800, -6), (1400, 6), (4000, -8), (7500, -3), (11_000, -20),
    )),
}  # fmt: skip


def record(sound: np.ndarray, device: str, rng: np.random.Generator) -> np.ndarray:
    """Records a sound with a device: response, gain, noise, limiter.

    Args:
        sound: (SAMPLES,), full scale 1.
        device: A key of DEVICES.
        rng: Of the take: its noise, and how the device is held.

    Returns:
        (SAMPLES,) float32 within the device's limit.
    """
    settings = DEVICES[device]
    handling_db = rng.normal(0, 1.0, 3)  # at 64 Hz, 1 and 16 kHz: a hand, a pocket, a distance, another each time
    response = [(hz, level + np.interp(np.log2(hz), (6, 10, 14), handling_db)) for hz, level in settings.response]
    signal = filtered(sound, response) * np.float32(10 ** (settings.gain_db / 20))
    # Four octaves below and above 1 kHz.
    device_noise = noise(rng, [(62, -4 * settings.noise_slope_db), (16_000, 4 * settings.noise_slope_db)])
    recorded = signal + np.float32(10 ** (settings.noise_dbfs / 20)) * device_noise
    limit = np.float32(settings.limit)
    return limit * np.tanh(recorded / limit)
