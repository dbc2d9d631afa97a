"""Choice of the calibration clips."""

import numpy as np
import pytest

from asc_tf import dataset
from asc_tf.errors import UserError
from asc_tf.export.quantisation import calibration as ptq

LABELS = np.array(["tram"] * 90 + ["park"] * 9 + ["bus"])
DEVICES = np.array(["a"] * 80 + ["b"] * 15 + ["c"] * 5)


def test_clips_are_taken_from_every_class_and_device_in_turn():
    # tram a 80, tram b 10, park b 5, park c 4, bus c 1: five in a turn, then four, until the small ones are used up.
    indices = ptq.select_clips(LABELS, DEVICES, count=20, seed=3)
    pairs, counts = np.unique([f"{LABELS[index]} {DEVICES[index]}" for index in indices], return_counts=True)
    counts_by_pair = dict(zip(pairs.tolist(), counts.tolist(), strict=True))
    assert counts_by_pair["bus c"] == 1 and counts_by_pair["park c"] == 4
    assert sorted(counts_by_pair.values()) == [1, 4, 5, 5, 5]
    assert len(set(indices.tolist())) == 20 and np.all(np.diff(indices) > 0)


def test_the_choice_depends_on_the_seed_and_is_all_clips_where_there_are_no_more():
    first, again, other = (ptq.select_clips(LABELS, DEVICES, count=10, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(ptq.select_clips(LABELS, DEVICES, count=500, seed=1), np.arange(100))


def test_an_empty_training_split_is_refused():
    with pytest.raises(UserError, match="no training clips to calibrate"):
        ptq.select_clips(LABELS[:0], DEVICES[:0], count=10, seed=1)


def test_clips_are_augmented_as_in_training_without_a_warning_of_autograph(run_of, caplog):
    run = run_of()
    assert run.recipe.quantise.method == "qat"
    batches = ptq.calibration_batches(run, dataset.load(run.recipe, quiet=True))
    assert [batch.shape for batch in batches] == [(32, 12, 9, 1)]
    assert "AutoGraph" not in caplog.text
