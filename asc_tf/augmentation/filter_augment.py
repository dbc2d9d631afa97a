"""Random filter over the bands of every clip, as another room or microphone would weight them (FilterAugment).

Source: Nam et al., "FilterAugment: An Acoustic Environmental Data Augmentation Method", ICASSP 2022, as executed in
        FilterAugSED: linear with db = [-6, 6], linear_bands = [3, 6], linear_min_width = 6 (jku2024's ablation), step
        with step_bands = [2, 5], step_min_width = 4. Its DCASE 2021 prototype: step, db = [-7.5, 6], [2, 5], 0.
"""

from typing import Annotated, Literal

import tensorflow as tf

from asc_tf.augmentation import _draws
from asc_tf.errors import UserError
from asc_tf.recipe.registry import Allowed

ON = "mel"


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    *,
    step_share: Annotated[float, Allowed(0, 1)],
    domain: Literal["linear", "decibel", "log_as_authors"],
    db: list[float] = (-6.0, 6.0),
    linear_bands: list[int] = (3, 6),
    linear_min_width: int = 6,
    step_bands: list[int] = (2, 5),
    step_min_width: int = 4,
    floor: float = 1e-5,
    p: Annotated[float, Allowed(0, 1)] = 1.0,
) -> dict[str, tf.Tensor]:
    """Applies, with probability p, one draw a clip, gains from `db` to the bands, in ranges that the batch shares.

    Args:
        batch: See the package.
        seed: (2,) int32.
        step_share: Probability, one draw a batch, of a constant gain in every range of bands; else linear in dB.
        domain: "linear" applies gains to the power under ln(power + floor); "decibel" adds to levels in dB;
            "log_as_authors" multiplies the logarithm itself by 10^(dB / 20), as the code of jku2024 does.
        db: [low, high] of the gains, uniform.
        linear_bands: [low, high): number of ranges where linear; a single range changes nothing.
        linear_min_width: Bands in the narrowest range; fewer where they do not fit. 0: the prototype's boundaries,
            uniform from 1 to bands - 2, of which some may be equal.
        step_bands: As linear_bands, where constant.
        step_min_width: As linear_min_width, where constant.
        floor: Of domain "linear".
        p: Probability for each clip.

    Returns:
        The batch with another "mel".

    Raises:
        UserError: A setting out of range.
    """
    _check(p, step_share, db, linear_bands, step_bands, linear_min_width, step_min_width)
    mel = batch["mel"]
    count, bands = tf.shape(mel)[0], mel.shape[1]
    kind_seed, ranges_seed, edges_seed, gain_seed, hit_seed = _draws.split(seed, 5)
    step = _draws.uniform([], kind_seed) < step_share
    low, high, width = tf.unstack(tf.where(step, [*step_bands, step_min_width], [*linear_bands, linear_min_width]))
    ranges = _draws.integers([], ranges_seed, low, high)
    max_ranges = max(step_bands[1], linear_bands[1]) - 1
    edges = boundaries(edges_seed, ranges, width, bands=bands, max_ranges=max_ranges)
    gain_db = _draws.uniform([count, max_ranges + 1], gain_seed, *db)
    curve_db = tf.where(step, step_curve(gain_db, edges, bands), linear_curve(gain_db, edges, bands))
    hit = (ranges > 1) & (_draws.uniform([count, 1], hit_seed) < p)
    curve_db = tf.where(hit, curve_db, 0.0)[:, :, None, None]  # (batch, bands, 1, 1)
    return batch | {"mel": tf.where(curve_db == 0, mel, filtered(mel, curve_db, domain, floor))}


def boundaries(seed: tf.Tensor, ranges: tf.Tensor, min_width: tf.Tensor, *, bands: int, max_ranges: int) -> tf.Tensor:
    """Random boundaries of ranges of bands.

    Args:
        seed: (2,) int32.
        ranges: Number of ranges, scalar int32.
        min_width: Of a range, scalar int32; 0 as in `apply`.
        bands: Of the spectrogram.
        max_ranges: Largest possible `ranges`.

    Returns:
        (max_ranges + 1,) int32, ascending: 0, ranges - 1 inner boundaries, and `bands` for all that follow.
    """
    width = tf.minimum(min_width, bands // ranges)
    low, high = (tf.where(min_width == 0, *pair) for pair in ((1, 0), (bands - 1, bands - ranges * width + 1)))
    inner = tf.range(1, max_ranges)
    drawn = tf.where(inner < ranges, _draws.integers([max_ranges - 1], seed, low, high), bands)
    return tf.concat([[0], tf.minimum(tf.sort(drawn) + width * inner, bands), [bands]], 0)


def step_curve(gain_db: tf.Tensor, edges: tf.Tensor, bands: int) -> tf.Tensor:
    """A constant gain in each range.

    Args:
        gain_db: (batch, ranges or more).
        edges: As of `boundaries`; range i is edges[i] ... edges[i + 1] - 1.
        bands: Of the spectrogram.

    Returns:
        (batch, bands) dB.
    """
    return tf.gather(gain_db, _range_index(edges, bands), axis=1)


def linear_curve(gain_db: tf.Tensor, edges: tf.Tensor, bands: int) -> tf.Tensor:
    """A line in each range i, from gain_db[:, i] in its first band to gain_db[:, i + 1] in its last.

    Args:
        gain_db: (batch, ranges + 1 or more).
        edges: As of `boundaries`.
        bands: Of the spectrogram.

    Returns:
        (batch, bands) dB.
    """
    index = _range_index(edges, bands)
    first, last = tf.gather(edges, index), tf.gather(edges, index + 1) - 1
    weight = tf.cast((tf.range(bands) - first) / tf.maximum(last - first, 1), gain_db.dtype)
    return (1 - weight) * tf.gather(gain_db, index, axis=1) + weight * tf.gather(gain_db, index + 1, axis=1)


def filtered(mel: tf.Tensor, curve_db: tf.Tensor, domain: str, floor: float) -> tf.Tensor:
    """A spectrogram with gains applied to its bands.

    Args:
        mel: (batch, bands, frames, channels).
        curve_db: (batch, bands, 1, 1).
        domain: See `apply`.
        floor: See `apply`.

    Returns:
        The shape of mel.
    """
    if domain == "decibel":
        return mel + curve_db
    if domain == "log_as_authors":
        return mel * 10 ** (curve_db / 20)
    power = tf.maximum(tf.exp(mel) - floor, 0.0)
    return tf.math.log(power * 10 ** (curve_db / 10) + floor)


def _range_index(edges, bands):
    """(bands,) int32: the range that each band lies in."""
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
