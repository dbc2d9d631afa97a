"""What is followed in quantisation-aware training?"""

import numpy as np
import tensorflow as tf

from asc_tf.recipe import resolve as recipes
from export.quantisation import run as quantise

TARGETS = {"label": np.eye(2, dtype="f"), "teacher": np.zeros((2, 2, 2), "f"), "share": np.full((2, 2), 0.5, "f")}


def test_the_float_network_is_followed_live_or_the_teachers_in_their_shares_or_live():
    x = np.ones((2, 3), "f")
    batches = tf.data.Dataset.from_tensors((x, TARGETS))
    ((_, targets),), live = quantise.followed_in("float", batches, lambda x: 2 * x, None)
    assert targets.keys() == {"label"}
    np.testing.assert_array_equal(live(x)["teacher"], 2 * x)
    assert quantise.followed_in("teachers", batches, None, "asked") == (batches, "asked")


def test_at_its_own_temperature_or_that_of_the_distillation(tiny):
    assert quantise.temperature(recipes.load(tiny)) == 2
    assert quantise.temperature(recipes.load(tiny, ["quantise.temperature=20"])) == 20
    assert quantise.temperature(recipes.load("esc10_cp_mobile")) == 1
