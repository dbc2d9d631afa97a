"""The targets of quantisation-aware training."""

import numpy as np
import tensorflow as tf

from asc_tf.export.quantisation import run as quantise
from asc_tf.recipe import resolve as recipes

TARGETS = {"label": np.eye(2, dtype="f"), "teacher": np.zeros((2, 2, 2), "f"), "share": np.full((2, 2), 0.5, "f")}


def test_targets_are_those_of_the_float_network_or_of_stored_or_online_teachers():
    x = np.ones((2, 3), "f")
    batches = tf.data.Dataset.from_tensors((x, TARGETS))
    ((_, targets),), online = quantise.distillation_targets("float", batches, lambda x: 2 * x, None)
    assert targets.keys() == {"label"}
    np.testing.assert_array_equal(online(x)["teacher"], 2 * x)
    assert quantise.distillation_targets("teachers", batches, None, "online") == (batches, "online")


def test_at_its_own_temperature_or_that_of_the_distillation(tiny):
    assert quantise.distillation_temperature(recipes.load(tiny)) == 2
    assert quantise.distillation_temperature(recipes.load(tiny, ["quantise.temperature=20"])) == 20
    assert quantise.distillation_temperature(recipes.load("esc10_cp_mobile")) == 1
