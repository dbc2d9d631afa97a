"""Which clips calibrate?"""

import numpy as np
import pytest

from asc_tf.errors import UserError
from export.quantisation import calibration as ptq

LABELS = np.array(["tram"] * 90 + ["park"] * 9 + ["bus"])
DEVICES = np.array(["a"] * 80 + ["b"] * 15 + ["c"] * 5)


def test_every_class_and_device_in_turn_as_far_as_it_has_clips():
    # tram a 80, tram b 10, park b 5, park c 4, bus c 1: five in a turn, then four, until the small ones are used up.
    places = ptq.select_clips(LABELS, DEVICES, count=20, seed=3)
    cells, counts = np.unique([f"{LABELS[place]} {DEVICES[place]}" for place in places], return_counts=True)
    found = dict(zip(cells.tolist(), counts.tolist(), strict=True))
    assert found["bus c"] == 1 and found["park c"] == 4
    assert sorted(found.values()) == [1, 4, 5, 5, 5]
    assert len(set(places.tolist())) == 20 and np.all(np.diff(places) > 0)


def test_the_same_for_a_seed_and_all_where_there_are_no_more():
    first, again, other = (ptq.select_clips(LABELS, DEVICES, count=10, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(ptq.select_clips(LABELS, DEVICES, count=500, seed=1), np.arange(100))


def test_none_to_choose_from_is_refused():
    with pytest.raises(UserError, match="no training clips to calibrate"):
        ptq.select_clips(LABELS[:0], DEVICES[:0], count=10, seed=1)
