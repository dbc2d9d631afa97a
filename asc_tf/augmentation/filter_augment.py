"""What if the room and the microphone weighed the bands otherwise? A random filter over the bands of every clip.

Source: Nam et al., "FilterAugment: An Acoustic Environmental Data Augmentation Method", ICASSP 2022, as executed in
        FilterAugSED: linear with db = [-6, 6], linear_bands = [3, 6], linear_min_width = 6 (jku2024's ablation), step
        with step_bands = [2, 5], step_min_width = 4. Its DCASE 2021 prototype: step, db = [-7.5, 6], [2, 5], 0.
"""

from typing import Literal

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError

ON = "mel"


def apply(
    batch,
    seed,
    *,
    step_share: float,
    domain: Literal["linear", "decibel", "log_as_authors"],
    db: list[float] = (-6.0, 6.0),
    linear_bands: list[int] = (3, 6),
    linear_min_width: int = 6,
    step_bands: list[int] = (2, 5),
    step_min_width: int = 4,
    floor: float = 1e-5,
    p: float = 1.0,
):
    """With probability p, one draw a clip, the bands are weighed with gains drawn from `db`.

    step_share: probability, one draw a batch, of a gain constant in every band range; else linear in dB.
    domain:     "linear" weighs the power under ln(power + floor); "decibel" adds to levels in dB;
                "log_as_authors" multiplies the logarithm itself by 10^(dB / 20), as the code of jku2024 does.
    *_bands:    [low, high): how many ranges; one set of boundaries a batch. A single range changes nothing.
    *_min_width: bands in the narrowest range; fewer where they do not fit. 0: the prototype's boundaries,
                uniform from 1 to bands - 2, of which some may be equal.
    """
    _check(p, step_share, db, linear_bands, step_bands, linear_min_width, step_min_width)
    mel = batch["mel"]
    count, bands = tf.shape(mel)[0], mel.shape[1]
    kind_seed, ranges_seed, edges_seed, gain_seed, hit_seed = _draws.split(seed, 5)
    step = _draws.uniform([], kind_seed) < step_share
    low, high, width = tf.unstack(tf.where(step, [*step_bands, step_min_width], [*linear_bands, linear_min_width]))
    ranges = _draws.integers([], ranges_seed, low, high)
    most = max(step_bands[1], linear_bands[1]) - 1
    edges = boundaries(edges_seed, ranges, width, bands=bands, most=most)
    gain_db = _draws.uniform([count, most + 1], gain_seed, *db)
    curve_db = tf.where(step, stepped(gain_db, edges, bands), sloped(gain_db, edges, bands))
    hit = (ranges > 1) & (_draws.uniform([count, 1], hit_seed) < p)
    curve_db = tf.where(hit, curve_db, 0.0)[:, :, None, None]
    return batch | {"mel": tf.where(curve_db == 0, mel, weighed(mel, curve_db, domain, floor))}


def boundaries(seed, ranges, min_width, *, bands, most):
    """(most + 1,) int32, ascending: 0, ranges - 1 inner boundaries, and `bands` for all that follow."""
    width = tf.minimum(min_width, bands // ranges)
    low, high = (tf.where(min_width == 0, *pair) for pair in ((1, 0), (bands - 1, bands - ranges * width + 1)))
    inner = tf.range(1, most)
    drawn = tf.where(inner < ranges, _draws.integers([most - 1], seed, low, high), bands)
    return tf.concat([[0], tf.minimum(tf.sort(drawn) + width * inner, bands), [bands]], 0)


def stepped(gain_db, edges, bands):
    """(batch, bands) dB: gain_db (batch, ranges) of the range, edges[i] ... edges[i + 1] - 1, a band lies in."""
    return tf.gather(gain_db, _range_of(edges, bands), axis=1)


def sloped(gain_db, edges, bands):
    """(batch, bands) dB: in range i a line from gain_db[:, i] in its first band to gain_db[:, i + 1] in its last."""
    place = _range_of(edges, bands)
    first, last = tf.gather(edges, place), tf.gather(edges, place + 1) - 1
    way = tf.cast((tf.range(bands) - first) / tf.maximum(last - first, 1), gain_db.dtype)
    return (1 - way) * tf.gather(gain_db, place, axis=1) + way * tf.gather(gain_db, place + 1, axis=1)


def weighed(mel, curve_db, domain, floor):
    """mel (batch, bands, frames, channels) under curve_db (batch, bands, 1, 1)."""
    if domain == "decibel":
        return mel + curve_db
    if domain == "log_as_authors":
        return mel * 10 ** (curve_db / 20)
    power = tf.maximum(tf.exp(mel) - floor, 0.0)
    return tf.math.log(power * 10 ** (curve_db / 10) + floor)


def _range_of(edges, bands):
    return tf.searchsorted(edges[1:-1], tf.range(bands), side="right")


def _check(p, step_share, db, linear_bands, step_bands, *widths):
    _draws.check_share("filter_augment", p)
    if not 0 <= step_share <= 1:
        raise UserError(f"augmentation/filter_augment: step_share = {step_share} must be from 0 to 1.")
    _draws.check_span("filter_augment", "db", db)
    for name, span in (("linear_bands", linear_bands), ("step_bands", step_bands)):
        _draws.check_span("filter_augment", name, span, least=1)
        if span[0] == span[1]:
            raise UserError(f"augmentation/filter_augment: {name} = {list(span)} holds no number: high is not drawn.")
    if min(widths) < 0:
        raise UserError("augmentation/filter_augment: a min_width must not be negative.")
