"""The clips and targets of quantisation-aware training."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
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
    assert quantise.distillation_temperature(recipes.load("esc10_baseline2024")) == 1


def test_augmentations_that_are_left_out_are_in_neither_the_ranges_nor_the_training(run_of, monkeypatch):
    run, seen = run_of(), []
    names = [part.name for part in run.recipe.augmentation]
    left_out = dataclasses.replace(run.recipe.quantise, without=(names[0],))
    run.recipe = dataclasses.replace(run.recipe, quantise=left_out)
    monkeypatch.setattr(quantise.build, "load_network", lambda *_, **__: None)
    monkeypatch.setattr(quantise.build, "forward", lambda *_: None)
    monkeypatch.setattr(quantise, "to_tf_keras", lambda *_: None)
    monkeypatch.setattr(quantise.calibration, "calibration_batches", lambda folder, _: seen.append(folder.recipe))
    monkeypatch.setattr(quantise.qat, "quantise", lambda *_: None)
    monkeypatch.setattr(quantise, "_train", lambda folder, *_: seen.append(folder.recipe))
    monkeypatch.setattr(quantise.convert, "convert", lambda _: 1 / 0)  # nothing is written
    with pytest.raises(ZeroDivisionError):
        quantise.quantise(SimpleNamespace(folder=run, recipe=run.recipe, path=run.path), None, None)
    assert len(names) > 1 and [[part.name for part in one.augmentation] for one in seen] == [names[1:], names[1:]]
