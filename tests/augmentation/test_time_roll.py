import numpy as np
import tensorflow as tf

from asc_tf.augmentation import time_roll


def test_rolls_as_torch(shared):
    golden = np.load(shared / "golden/math_dir.npz")
    rolled = time_roll.roll(golden["ex0/x"][None], tf.constant([1234]))
    np.testing.assert_array_equal(rolled[0, :64], golden["ex0/roll_1234"])


def test_rolls_by_hand():
    wave = tf.constant([[1.0, 2, 3, 4], [1, 2, 3, 4]])
    np.testing.assert_array_equal(time_roll.roll(wave, tf.constant([1, -1])), [[4, 1, 2, 3], [2, 3, 4, 1]])


def test_shifts_stay_within_the_limit_and_reach_it():
    wave = tf.one_hot(tf.zeros(2000, tf.int32) + 50, 100)
    rolled = time_roll.apply({"wave": wave}, tf.constant([0, 1]), 1000, max_shift_s=0.004)["wave"]
    assert set(np.argmax(rolled, 1)) == set(range(46, 55))
