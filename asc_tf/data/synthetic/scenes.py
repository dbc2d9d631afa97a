"""Composition of the synthetic scenes: the sounds of each, their levels, the room and the city."""

from dataclasses import dataclass

import numpy as np

from asc_tf.data.synthetic import sounds
from asc_tf.data.synthetic.synthesis import SAMPLES, filtered, reverberated

LEVEL_SPREAD_DB = 3.5  # of each sound at each location: so that the scenes overlap
LOUDNESS_DBFS, LOUDNESS_SPREAD_DB = (
    -28.0,
    2.5,
)  # of a location; the same for every scene, so that it carries no information

# scene -> (reverberation in seconds, {sound: (share of the locations with it, level in dB)})
SCENES = {
    "airport": (1.6, {
        "ventilation": (1.0, 0), "crowd": (0.9, -5), "babble": (0.5, -8), "talker": (0.2, -7), "steps": (0.4, -10),
        "announcement": (0.75, 0), "trolley": (0.9, -1), "beeps": (0.3, -9), "children": (0.1, -9),
    }),
    "bus": (0.3, {
        "cabin": (0.8, -3), "engine": (1.0, 2), "rattle": (0.7, -6), "hiss": (0.4, -4), "babble": (0.4, -8),
        "talker": (0.2, -6), "beeps": (0.2, -10), "announcement": (0.1, -8), "cars": (0.2, -9),
    }),
    "metro": (0.4, {
        "cabin": (1.0, 1), "rails": (1.0, 1), "motor": (0.5, -4), "squeal": (0.3, -8), "announcement": (0.2, -7),
        "beeps": (0.2, -9), "babble": (0.3, -8), "talker": (0.15, -7), "rattle": (0.3, -10), "hiss": (0.1, -8),
    }),
    "metro_station": (2.4, {
        "ventilation": (1.0, -2), "crowd": (0.5, -8), "babble": (0.3, -8), "steps": (0.6, -5),
        "announcement": (0.3, -5), "rails": (0.7, 0), "motor": (0.4, -4), "squeal": (0.4, -5), "hiss": (0.4, -4),
        "beeps": (0.5, -6),
    }),
    "park": (0.5, {
        "drone": (0.9, -6), "wind": (0.5, -6), "leaves": (0.9, -1), "birds": (0.9, -1), "crowd": (0.1, -12),
        "steps": (0.3, -10), "children": (0.2, -9), "cars": (0.1, -11), "water": (0.1, -8), "talker": (0.15, -9),
    }),
    "public_square": (0.9, {
        "drone": (1.0, -2), "crowd": (0.9, -3), "babble": (0.4, -8), "steps": (0.5, -9), "water": (0.75, 0),
        "birds": (0.3, -8), "wind": (0.5, -5), "cars": (0.3, -8), "children": (0.5, -4), "music": (0.1, -10),
        "bell": (0.3, -5),
    }),
    "shopping_mall": (1.2, {
        "ventilation": (0.9, -5), "crowd": (1.0, -1), "babble": (0.7, -6), "music": (0.9, 1), "steps": (0.5, -9),
        "clatter": (0.6, -6), "beeps": (0.3, -10), "announcement": (0.1, -8), "children": (0.2, -9),
        "trolley": (0.15, -9),
    }),
    "street_pedestrian": (0.6, {
        "drone": (0.8, -7), "crowd": (0.7, -5), "babble": (0.9, 0), "talker": (0.5, -2), "steps": (1.0, 0),
        "cars": (0.15, -10), "music": (0.15, -9), "bell": (0.15, -9), "trolley": (0.15, -10), "birds": (0.1, -11),
        "clatter": (0.15, -11), "ticks": (0.1, -12),
    }),
    "street_traffic": (0.6, {
        "drone": (1.0, -3), "cars": (1.0, 4), "engine": (0.4, -5), "horn": (0.25, -3), "steps": (0.2, -10),
        "wind": (0.2, -8), "hiss": (0.1, -9), "birds": (0.1, -11), "ticks": (0.2, -9), "babble": (0.1, -11),
    }),
    "tram": (0.4, {
        "cabin": (0.9, -5), "rails": (0.7, -6), "motor": (1.0, 2), "squeal": (0.6, -3), "bell": (0.3, -5),
        "babble": (0.4, -7), "talker": (0.2, -6), "rattle": (0.5, -6), "announcement": (0.15, -7), "beeps": (0.15, -9),
        "cars": (0.15, -10),
    }),
}  # fmt: skip


@dataclass(frozen=True)
class City:
    """What differs between cities.

    Args:
        tuning: Factor of the frequencies of its sounds.
        tilt_db: Of the spectrum, per octave.
        reverberation: Factor of the time of reverberation.
    """

    tuning: float
    tilt_db: float
    reverberation: float


def city(rng: np.random.Generator) -> City:
    """A random city."""
    return City(tuning=rng.uniform(0.8, 1.25), tilt_db=rng.uniform(-0.7, 0.7), reverberation=rng.uniform(0.7, 1.4))


def sound(scene: str, city: City, rng: np.random.Generator) -> np.ndarray:
    """The sound at a random location.

    Args:
        scene: A key of SCENES.
        city: Of the location.
        rng: Of the location.

    Returns:
        (SAMPLES,) float32, full scale 1.
    """
    decay_s, parts = SCENES[scene]
    near = np.zeros(SAMPLES, np.float32)
    for name, (share, level_db) in parts.items():
        if rng.uniform() < share:
            level = 10 ** ((level_db + rng.normal(0, LEVEL_SPREAD_DB)) / 20)
            near += np.float32(level) * getattr(sounds, name)(rng, city.tuning * rng.uniform(0.95, 1.05))
    far = reverberated(rng, near, decay_s * city.reverberation * rng.uniform(0.6, 1.5))
    wet = rng.uniform(0.2, 0.6) * min(decay_s, 1.5)
    mixed = near / _rms(near) + np.float32(wet) * far
    loudness = 10 ** ((LOUDNESS_DBFS + rng.normal(0, LOUDNESS_SPREAD_DB)) / 20)
    tilt_db = city.tilt_db + rng.normal(0, 0.5)
    mixed = filtered(mixed, [(60, -4 * tilt_db), (16_000, 4 * tilt_db)])
    return mixed * np.float32(loudness / _rms(mixed))


def _rms(x):
    return np.sqrt(np.mean(np.square(x)))
