"""Sounds that the synthetic scenes consist of.

Every function `f(rng, tuning)` is one sound: (SAMPLES,) float32 of an RMS of 1, another one for each state of `rng`.
`tuning` is a factor of the frequencies that differ between cities.
"""

import numpy as np

from asc_tf.data.synthetic.synthesis import (
    CYCLE,
    SAMPLES,
    SECONDS,
    add_chirp,
    add_ring,
    bursts,
    decay,
    filtered,
    harmonics,
    lowpass_noise,
    noise,
    periodic,
    regular_times,
    seconds_from,
    slow_curve,
    slow_gain,
    unit_rms,
    voices,
)

# Continuous noises


def ventilation(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Air noise over the hum of the mains."""
    hum_hz = 50 * rng.integers(1, 7)
    tones = harmonics(rng, np.full(SAMPLES, hum_hz), count=3, fall_db=5)
    slope, knee_hz = rng.uniform(4, 8), rng.uniform(150, 500)
    return unit_rms(lowpass_noise(rng, knee_hz, slope) + rng.uniform(0, 0.5) * tones)


def drone(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Far traffic of a whole city."""
    return unit_rms(lowpass_noise(rng, rng.uniform(80, 500), rng.uniform(4, 9)) * slow_gain(rng, 0.7, 2))


def cabin(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Air and structure noise inside a vehicle."""
    return unit_rms(lowpass_noise(rng, rng.uniform(50, 180), rng.uniform(6, 11)) * slow_gain(rng, 1, 1.5))


def wind(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Low noise of a changing level."""
    return unit_rms(lowpass_noise(rng, rng.uniform(40, 150), rng.uniform(8, 14)) * slow_gain(rng, 1.5, 5))


def leaves(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """High noise of a changing level."""
    centre = rng.uniform(2500, 6500)
    return unit_rms(noise(rng, [(centre / 8, -30), (centre, 0), (3 * centre, -15)]) * slow_gain(rng, 1.5, 5))


def water(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """A fountain or a brook: hiss with bubbling in several bands."""
    centre = rng.uniform(700, 3500)
    hiss = noise(rng, [(centre / 6, -22), (centre, 0), (6 * centre, -14)])
    return unit_rms(hiss * (1 + 0.6 * np.abs(slow_curve(rng, 40, 1))))


def crowd(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Many far voices: noise of the spectrum of speech, its bands modulated as by syllables."""
    low = noise(rng, [(80, -25), (250, 0), (800 * tuning, -5), (1500, -25)]) * slow_gain(rng, 5, 3)
    high = noise(rng, [(600, -25), (1400 * tuning, -6), (3500, -14), (9000, -35)]) * slow_gain(rng, 5, 4)
    return unit_rms(low + rng.uniform(0.6, 1.6) * high)


# Voices


def babble(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Four to seven voices."""
    return voices(rng, tuning, count=rng.integers(4, 8), pitch_hz=(95, 240))


def talker(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """One voice."""
    return voices(rng, tuning, count=1, pitch_hz=(95, 240))


def children(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """One to three high voices."""
    return voices(rng, 1.3 * tuning, count=rng.integers(1, 4), pitch_hz=(260, 450))


def announcement(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """A chime of two or three notes, then a voice through a loudspeaker."""
    voice = voices(rng, tuning, count=1, pitch_hz=(150, 230))
    voice = filtered(voice, [(200, -30), (500, 0), (3500, 0), (6000, -30)])
    chime = np.zeros(SAMPLES, np.float32)
    start = rng.uniform(0, SECONDS)
    for step in range(rng.integers(2, 4)):
        note_hz = 520 * tuning * 2 ** (rng.choice([0, 4, 7, 12]) / 12)
        add_ring(chime, start + 0.4 * step, note_hz, 0.5)
    return unit_rms(voice + rng.uniform(0, 1) * chime / 0.3)


def music(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Chords of a scale over a beat."""
    tune = np.zeros(SAMPLES, np.float32)
    beat_s = rng.uniform(0.25, 0.5)
    scale_hz = 220 * tuning * 2 ** (np.array([0, 2, 4, 7, 9, 12, 14, 16]) / 12)
    for start in np.arange(0, SECONDS, beat_s):
        for note_hz in rng.choice(scale_hz, 2):
            level = rng.uniform(0.3, 1)
            add_ring(tune, start, note_hz, 0.3, level)
            add_ring(tune, start, 2 * note_hz, 0.2, 0.4 * level)
    drum = bursts(rng, np.arange(0, SECONDS, beat_s), 0.08, rng.uniform(60, 5000))
    return unit_rms(unit_rms(tune) + rng.uniform(0, 0.8) * drum)


# Single events


def steps(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """One to four walkers on one kind of ground."""
    ground_hz = rng.uniform(300, 3500)
    walkers = [regular_times(rng, rng.uniform(1.5, 2.3), 0.04) for _ in range(rng.integers(1, 5))]
    return bursts(rng, np.concatenate(walkers), rng.uniform(0.01, 0.04), ground_hz)


def trolley(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Small wheels over joints."""
    wheel_hz = rng.uniform(500, 2500)
    rolling = noise(rng, [(wheel_hz / 5, -20), (wheel_hz, 0), (4 * wheel_hz, -20)]) * (1 + slow_curve(rng, 60, 0.5))
    joints = bursts(rng, regular_times(rng, rng.uniform(4, 12), 0.02), 0.01, wheel_hz)
    return unit_rms(unit_rms(rolling * slow_gain(rng, 1, 6)) + joints)


def clatter(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Dishes, hangers, coins: short high resonances."""
    clash = np.zeros(SAMPLES, np.float32)
    for start in rng.uniform(0, SECONDS, rng.integers(3, 14)):
        add_ring(clash, start, rng.uniform(2500, 8000), 0.05, rng.uniform(0.2, 1))
    return unit_rms(clash)


def rattle(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Loose panels and windows of a vehicle."""
    panel_hz = rng.uniform(400, 2500)
    buzz = noise(rng, [(panel_hz / 3, -25), (panel_hz, 0), (3 * panel_hz, -12), (22050, -40)])
    return unit_rms(buzz * np.exp(slow_curve(rng, 25, 0.8) + slow_curve(rng, 2, 0.8)))


def birds(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """One to three birds that repeat a chirp."""
    song = np.zeros(SAMPLES, np.float32)
    for _ in range(rng.integers(1, 4)):
        base_hz, length_s = tuning * rng.uniform(2200, 6000), rng.uniform(0.05, 0.2)
        for start in regular_times(rng, rng.uniform(1, 6), 0.3):
            add_chirp(song, start, length_s, base_hz, base_hz * rng.uniform(0.7, 1.4))
    return unit_rms(song)


def beeps(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Doors, tickets, tills: equal pulses of one tone."""
    tone_hz, length_s = tuning * rng.uniform(900, 2800), rng.uniform(0.06, 0.2)
    pulses, first = np.zeros(SAMPLES, np.float32), rng.uniform(0, SECONDS)
    for start in first + np.arange(rng.integers(1, 7)) * rng.uniform(1.5, 3) * length_s:
        add_chirp(pulses, start, length_s, tone_hz, tone_hz)
    return unit_rms(pulses)


def bell(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """One to four strokes of a bell."""
    struck, tone_hz = np.zeros(SAMPLES, np.float32), tuning * rng.uniform(1200, 3200)
    for start in rng.uniform(0, SECONDS) + np.arange(rng.integers(1, 5)) * 0.22:
        add_ring(struck, start, tone_hz, 0.3)
        add_ring(struck, start, 2.4 * tone_hz, 0.2)
    return unit_rms(struck)


def horn(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """A chord of a car's horn."""
    blast, tone_hz = np.zeros(SAMPLES, np.float32), tuning * rng.uniform(330, 480)
    start_s, length_s = rng.uniform(0, SECONDS), rng.uniform(0.2, 0.7)
    for multiple in (1, 1.26, 2, 2.52, 3, 4):
        add_chirp(blast, start_s, length_s, multiple * tone_hz, multiple * tone_hz, 1 / multiple)
    return unit_rms(blast)


def ticks(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """The signal of a pedestrian crossing."""
    return bursts(rng, regular_times(rng, rng.uniform(1.5, 8), 0), 0.015, tuning * rng.uniform(700, 1500))


# Vehicles


def cars(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Cars that pass: tyres get louder and brighter as they come near."""
    near, tyres_hz = np.zeros(SAMPLES, np.float32), rng.uniform(600, 1400)
    for _ in range(rng.integers(1, 4)):
        away = seconds_from(rng.uniform(0, SECONDS)) / rng.uniform(0.3, 1.6)
        near += rng.uniform(0.4, 1) / (1 + away * away)
    bright = noise(rng, [(150, -20), (tyres_hz, 0), (8000, -22)])
    return unit_rms(near * (lowpass_noise(rng, 120, 5) + np.sqrt(near) * bright))


def engine(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """A diesel engine, idling or pulling away, with its knocking."""
    idle_hz = rng.uniform(22, 34)
    speed = np.exp(slow_curve(rng, 1, rng.choice([0.01, 0.15])))
    tone = harmonics(rng, idle_hz * speed, count=14, fall_db=rng.uniform(2, 4))
    knocking = 1 + periodic(np.sin(2 * np.pi * CYCLE), 2 * idle_hz * speed)
    knock = noise(rng, [(200, -20), (900, 0), (5000, -20)]) * knocking
    return unit_rms(tone + rng.uniform(0.1, 0.4) * knock)


def motor(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """An electric drive whose whine follows the speed."""
    speed = np.exp(slow_curve(rng, 0.5, 0.4))
    return harmonics(rng, tuning * rng.uniform(180, 500) * speed, count=6, fall_db=rng.uniform(3, 6))


def rails(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Wheels on rails, with joints."""
    rail_hz = rng.uniform(250, 1100)
    roar = noise(rng, [(30, -10), (90, -4), (rail_hz, 0), (5 * rail_hz, -18), (18000, -45)]) * slow_gain(rng, 1, 2.5)
    joints = bursts(rng, regular_times(rng, rng.uniform(0.8, 3), 0.01), 0.03, rng.uniform(100, 400))
    return unit_rms(roar + rng.uniform(0, 0.5) * joints)


def squeal(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Wheel flanges or brakes."""
    tone_hz = tuning * rng.uniform(1500, 6000) * np.exp(slow_curve(rng, 3, 0.02))
    return unit_rms(harmonics(rng, tone_hz, count=3, fall_db=8) * np.exp(slow_curve(rng, 3, 1.2)))


def hiss(rng: np.random.Generator, tuning: float) -> np.ndarray:
    """Compressed air of brakes and doors."""
    colour = [(500, -25), (rng.uniform(3000, 8000), 0), (16000, -8)]
    return unit_rms(noise(rng, colour) * np.roll(decay(0.25), rng.integers(SAMPLES)))
