import numpy as np
import pytest

from asc_tf.metrics import bootstrap, log_loss, macro_accuracy


def drawn(recordings=40, segments=5, classes=3, seed=0):
    """Labels, probabilities and recordings of segments that are alike within a recording."""
    rng = np.random.default_rng(seed)
    label = np.repeat(rng.integers(classes, size=recordings), segments)
    own = np.repeat(rng.uniform(0.1, 0.9, recordings), segments)
    probabilities = np.full((len(label), classes), ((1 - own) / (classes - 1))[:, None])
    probabilities[np.arange(len(label)), label] = own
    return label, probabilities, np.repeat([f"r{index}" for index in range(recordings)], segments)


def by_hand(labels, probabilities, recordings, draws, seed):
    """The same intervals by concatenating the recordings of every draw."""
    names = np.unique(recordings)
    rng, found = np.random.default_rng(seed), []
    for _ in range(draws):
        rows = np.concatenate([np.flatnonzero(recordings == name) for name in rng.choice(names, len(names))])
        found.append((macro_accuracy(labels[rows], probabilities[rows]), log_loss(labels[rows], probabilities[rows])))
    return np.quantile(found, [0.025, 0.975], axis=0).T


def test_intervals_equal_those_of_drawn_recordings_one_by_one():
    labels, probabilities, recordings = drawn()
    found = bootstrap.intervals(labels, probabilities, recordings, draws=4000)
    expected = by_hand(labels, probabilities, recordings, 4000, seed=1)
    np.testing.assert_allclose([found["macro_accuracy"], found["log_loss"]], expected, atol=0.02)
    assert found["macro_accuracy"][0] < macro_accuracy(labels, probabilities) < found["macro_accuracy"][1]


def test_whole_recordings_are_drawn_and_not_segments():
    labels, probabilities, recordings = drawn()
    alone = np.arange(len(labels)).astype(str)
    width = [np.ptp(bootstrap.intervals(labels, probabilities, names)["log_loss"]) for names in (recordings, alone)]
    assert width[0] > 1.8 * width[1]  # five equal segments a recording: sqrt(5)


def test_one_recording_has_no_spread_and_a_class_without_segments_is_nan():
    labels, probabilities = np.array([0, 0, 1]), np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.4, 0.6, 0]])
    found = bootstrap.intervals(labels, probabilities, ["r"] * 3)
    assert found["macro_accuracy"] == pytest.approx([0.75, 0.75])
    assert found["by_class"][:2] == [[0.5, 0.5], [1, 1]] and np.isnan(found["by_class"][2]).all()


def test_a_paired_difference_is_narrower_than_its_parts():
    labels, probabilities, recordings = drawn()
    better = probabilities.copy()
    better[np.arange(len(labels)), labels] += 0.05
    better /= better.sum(1, keepdims=True)
    difference = bootstrap.paired(labels, [probabilities], [better], recordings)
    own = bootstrap.intervals(labels, probabilities, recordings)
    assert difference["log_loss"][1] < 0 and difference["log_loss"][2] == 1
    assert np.ptp(difference["log_loss"][:2]) < 0.2 * np.ptp(own["log_loss"])
    assert bootstrap.paired(labels, [better], [better], recordings)["macro_accuracy"] == [0, 0, 0.5]


def test_several_networks_of_a_kind_are_averaged():
    labels, probabilities, recordings = drawn()
    uniform = np.full_like(probabilities, 1 / 3)
    alone = bootstrap.paired(labels, [uniform], [probabilities], recordings)["log_loss"]
    half = bootstrap.paired(labels, [uniform], [probabilities, uniform], recordings)["log_loss"]
    np.testing.assert_allclose(half[:2], np.array(alone[:2]) / 2, atol=1e-12)
