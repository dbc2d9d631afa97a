"""Promises that every augmentation keeps."""

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asc_tf import registry

# The settings that are tried, and those under which nothing may change.
SETTINGS = {
    "device_impulse": ({"p": 0.7, "folder": "responses"}, {"p": 0.0, "folder": "responses"}),
    "freq_mask": ({"max_bands": 20, "fill": -11.5}, {"max_bands": 0, "fill": -11.5}),
    "freq_mixstyle": ({"p": 1.0, "alpha": 0.4}, {"p": 0.0, "alpha": 0.4}),
    "time_roll": ({"max_shift_s": 0.1}, {"max_shift_s": 0.0}),
}
RATE = 8000


def test_none_is_forgotten():
    assert sorted(SETTINGS) == registry.names("augmentation")


@pytest.fixture(autouse=True)
def responses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "responses").mkdir()
    for number in range(3):
        wave = np.random.default_rng(number).standard_normal(50 + number) * 0.1
        soundfile.write(tmp_path / f"responses/{number}.wav", wave, RATE)


def batch(clips=6):
    rng = np.random.default_rng(1)
    return {
        "wave": tf.constant(rng.standard_normal((clips, RATE)), tf.float32),
        "mel": tf.constant(rng.standard_normal((clips, 64, 20, 1)), tf.float32),
        "label": tf.one_hot(np.arange(clips) % 10, 10),
        "device": tf.constant(["a", "b"] * (clips // 2) + ["a"] * (clips % 2)),
        "teacher": tf.constant(rng.standard_normal((clips, 10)), tf.float32),
    }


def applied(name, settings, values, seed=(1, 2)):
    module = registry.module("augmentation", name)
    extra = (RATE,) if module.ON == "wave" else ()
    run = tf.function(lambda b, s: module.apply(b, s, *extra, **settings))
    return run(values, tf.constant(seed, tf.int32))


@pytest.mark.parametrize("name", SETTINGS)
def test_same_seed_same_result_another_seed_another(name):
    on = registry.module("augmentation", name).ON
    one, again, other = (applied(name, SETTINGS[name][0], batch(), seed)[on] for seed in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0
    assert np.abs(one - batch()[on]).max() > 0


@pytest.mark.parametrize("name", SETTINGS)
def test_shapes_types_and_labels_stay(name):
    before, after = batch(), applied(name, SETTINGS[name][0], batch())
    assert {k: (v.shape, v.dtype) for k, v in after.items()} == {k: (v.shape, v.dtype) for k, v in before.items()}
    np.testing.assert_allclose(tf.reduce_sum(after["label"], -1), 1.0, atol=1e-6)


@pytest.mark.parametrize("name", SETTINGS)
def test_switched_off_it_changes_nothing(name):
    on = registry.module("augmentation", name).ON
    np.testing.assert_array_equal(applied(name, SETTINGS[name][1], batch())[on], batch()[on])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_batch_of_one_works(name):
    on = registry.module("augmentation", name).ON
    after = applied(name, SETTINGS[name][0], batch(1))[on]
    assert after.shape == batch(1)[on].shape and np.isfinite(after).all()
