import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import filter_augment
from asc_tf.errors import UserError

SEED = tf.constant([0, 1])
BANDS = 40


def original_curve(gain_db, edges, ranges, linear):
    """(clips, BANDS) dB, range by range and clip by clip, as FilterAugSED writes it."""
    curve = np.zeros((len(gain_db), BANDS))
    for i in range(ranges):
        for clip in range(len(gain_db)):
            size = edges[i + 1] - edges[i]
            line = np.linspace(gain_db[clip, i], gain_db[clip, i + 1], size) if linear else gain_db[clip, i]
            curve[clip, edges[i] : edges[i + 1]] = line
    return curve


@pytest.mark.parametrize("ranges", [2, 3, 5])
def test_curves_equal_the_original(ranges):
    rng = np.random.default_rng(ranges)
    edges = np.array([0, *np.sort(rng.choice(np.arange(1, BANDS), ranges - 1, replace=False)), *[BANDS] * (6 - ranges)])
    gain_db = rng.uniform(-6, 6, (4, 6))
    for curve, linear in ((filter_augment.step_curve, False), (filter_augment.linear_curve, True)):
        ours = curve(tf.constant(gain_db), tf.constant(edges, tf.int32), BANDS)
        np.testing.assert_allclose(ours, original_curve(gain_db, edges, ranges, linear), atol=1e-6)


def drawn(ranges, min_width, bands=BANDS, draws=20000):
    """(draws, 6) boundaries."""
    seeds = tf.stack([tf.zeros(draws, tf.int32), tf.range(draws)], 1)
    run = tf.function(
        lambda: tf.map_fn(
            lambda s: filter_augment.boundaries(
                s, tf.constant(ranges), tf.constant(min_width), bands=bands, max_ranges=5
            ),
            seeds,
        )
    )
    return run().numpy()


def frequencies(inner, bands=BANDS):
    return np.stack([np.bincount(column, minlength=bands + 1) for column in inner.T]) / len(inner)


@pytest.mark.parametrize(("ranges", "min_width"), [(2, 4), (4, 6), (3, 0)])
def test_boundaries_are_drawn_as_in_the_original(ranges, min_width):
    rng = np.random.default_rng(0)
    high = BANDS - ranges * min_width + 1
    low, high = (0, high) if min_width else (1, BANDS - 1)  # torch's randint leaves out the upper bound
    expected = np.sort(rng.integers(low, high, (200000, ranges - 1))) + np.arange(1, ranges) * min_width
    ours = drawn(ranges, min_width, draws=5000)
    assert (ours[:, 0] == 0).all() and (ours[:, ranges:] == BANDS).all()
    np.testing.assert_allclose(frequencies(ours[:, 1:ranges]), frequencies(expected), atol=0.02)
    assert np.diff(ours[:, : ranges + 1]).min() >= min_width


def test_ranges_that_do_not_fit_get_narrower():
    assert np.diff(drawn(5, 6, bands=12, draws=50)).min() == 12 // 5


SETTINGS = {"step_share": 0.0, "domain": "decibel"}


def curves(seeds=60, clips=3, bands=BANDS, **settings):
    """(seeds, clips, bands) of dB added to silence."""
    batch = {"mel": tf.zeros((clips, bands, 2, 1))}
    run = tf.function(lambda n: filter_augment.apply(batch, tf.stack([0, n]), **SETTINGS | settings)["mel"])
    return np.stack([run(n) for n in tf.range(seeds)])[..., 0, 0]


def test_numbers_of_ranges_leave_out_the_upper_bound_and_are_one_a_batch():
    jumps = (np.abs(np.diff(curves(step_share=1.0, seeds=150))) > 0).sum(-1) + 1
    assert (jumps == jumps[:, :1]).all()  # one set of boundaries a batch
    values, counts = np.unique(jumps, return_counts=True)
    assert list(values) == [2, 3, 4] and counts.min() > 30


def test_a_single_range_changes_nothing_and_all_gains_are_within_db():
    assert not curves(step_share=1.0, step_bands=[1, 2], seeds=5).any()
    added_db = curves(db=[-7.5, 6.0])
    assert -7.5 <= added_db.min() < -6 and 5 < added_db.max() <= 6


def test_a_step_in_a_share_of_the_batches_and_a_filter_in_a_share_of_the_clips():
    added_db = curves(step_share=0.3, seeds=300, clips=1)[:, 0]
    stepped = [len(set(curve)) < 6 for curve in added_db]
    assert np.mean(stepped) == pytest.approx(0.3, abs=0.08)
    assert np.mean(curves(p=0.3, seeds=10, clips=200).any(-1)) == pytest.approx(0.3, abs=0.05)


def test_domains_by_hand():
    floor, power, gain_db = 1e-5, np.array([0.0, 1e-5, 1.0]), 3.0
    mel = tf.constant(np.log(power + floor), tf.float32)[None, :, None, None]
    curve = tf.fill((1, 3, 1, 1), gain_db)
    linear, level, authors = (
        np.ravel(filter_augment.filtered(mel, curve, domain, floor))
        for domain in ("linear", "decibel", "log_as_authors")
    )
    np.testing.assert_allclose(linear, np.log(power * 10**0.3 + floor), atol=1e-5)  # silence stays the floor
    np.testing.assert_allclose(level, np.ravel(mel) + 3, atol=1e-5)
    np.testing.assert_allclose(authors, np.ravel(mel) * 10**0.15, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"step_share": 2.0}, "step_share = 2.0 must be from 0 to 1"),
        ({"db": [6.0, -6.0]}, r"db = \[6.0, -6.0\] must be \[low, high\]"),
        ({"linear_bands": [3, 3]}, "holds no number"),
        ({"step_bands": [0, 5]}, "none below 1"),
        ({"step_min_width": -1}, "must not be negative"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        filter_augment.apply({"mel": tf.zeros((1, BANDS, 2, 1))}, SEED, **SETTINGS | wrong)
