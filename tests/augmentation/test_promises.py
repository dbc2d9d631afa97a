"""Properties of every augmentation."""

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asc_tf.recipe import registry

RESPONSES = {"folder": "responses"}
PLAYBACK = {
    "low_hz": [100.0, 300.0], "high_hz": [2000.0, 3500.0], "drive_db": [-6.0, 3.0], "rt60_s": [0.1, 0.4],
    "direct_db": [-3.0, 9.0], "snr_db": [20.0, 40.0], "folder": "responses",
}  # fmt: skip
FILTER = {"step_share": 0.5, "domain": "linear"}
# Settings to test, and settings under which nothing may change.
SETTINGS = {
    "device_impulse": ({"p": 0.7} | RESPONSES, {"p": 0.0} | RESPONSES),
    "filter_augment": (FILTER, {"p": 0.0} | FILTER),
    "fmix": ({"alpha": 1.0, "decay": 3.0}, {"alpha": 1.0, "decay": 3.0, "p": 0.0}),
    "freq_mask": ({"max_bands": 20, "fill": -11.5}, {"max_bands": 0, "fill": -11.5}),
    "freq_mixstyle": ({"p": 1.0, "alpha": 0.4}, {"p": 0.0, "alpha": 0.4}),
    "gain": ({"max_db": 12.0}, {"max_db": 0.0}),
    "mixup": ({"alpha": 0.3}, {"alpha": 0.3, "p": 0.0}),
    "noise": ({"min_dbfs": -40.0, "max_dbfs": -20.0}, {"min_dbfs": -40.0, "max_dbfs": -20.0, "p": 0.0}),
    "playback": ({"p": 0.7} | PLAYBACK, {"p": 0.0} | PLAYBACK),
    "time_mask": ({"max_frames": 10, "fill": -11.5}, {"max_frames": 0, "fill": -11.5}),
    "time_roll": ({"max_shift_s": 0.1}, {"max_shift_s": 0.0}),
    "wave_mixup": ({"p": 0.7, "alpha": 2.0}, {"p": 0.0, "alpha": 2.0}),
}
MIXING = {"fmix", "mixup", "wave_mixup"}
RATE, BANDS, FRAMES = 8000, 64, 20
every_augmentation = pytest.mark.parametrize("name", SETTINGS)


def test_every_augmentation_is_tested():
    assert sorted(SETTINGS) == registry.names("augmentation")


@pytest.fixture(autouse=True)
def responses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "responses").mkdir()
    for number in range(3):
        wave = np.random.default_rng(number).standard_normal(50 + number) * 0.1
        soundfile.write(tmp_path / f"responses/{number}.wav", wave, RATE)


def batch(clips=6, channels=1):
    rng = np.random.default_rng(1)
    return {
        "wave": tf.constant(rng.standard_normal((clips, RATE)), tf.float32),
        "mel": tf.constant(rng.standard_normal((clips, BANDS, FRAMES, channels)), tf.float32),
        "label": tf.one_hot(np.arange(clips) % 10, 10),
        "device": tf.constant(["a", "b"] * (clips // 2) + ["a"] * (clips % 2)),
        "teacher": tf.constant(rng.standard_normal((clips, 10)), tf.float32),
    }


def applied(name, settings, values, *seeds):
    """The batch under each seed, or under one."""
    module = registry.module("augmentation", name)
    extra = (RATE,) if module.ON == "wave" else ()
    run = tf.function(lambda b, s: module.apply(b, s, *extra, **settings))
    results = [run(values, tf.constant(seed, tf.int32)) for seed in seeds or [(1, 2)]]
    return results if seeds else results[0]


def changed(name, values):
    return values[registry.module("augmentation", name).ON].numpy()


@every_augmentation
def test_the_result_is_a_function_of_the_seed(name):
    after = applied(name, SETTINGS[name][0], batch(), (1, 2), (1, 2), (1, 3))
    one, again, other = (changed(name, values) for values in after)
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0
    assert np.abs(one - changed(name, batch())).max() > 0


@every_augmentation
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_types_stay_and_labels_are_distributions(name, channels):
    before = batch(channels=channels)
    after = applied(name, SETTINGS[name][0], before)
    if name in MIXING:
        assert after.pop("share").shape == (6, 2) and after.pop("teacher").shape == (6, 2, 10)
        before.pop("teacher")
    assert {k: (v.shape, v.dtype) for k, v in after.items()} == {k: (v.shape, v.dtype) for k, v in before.items()}
    np.testing.assert_allclose(tf.reduce_sum(after["label"], -1), 1.0, atol=1e-6)
    assert after["label"].numpy().min() >= 0 and np.isfinite(changed(name, after)).all()


@every_augmentation
def test_switched_off_it_changes_nothing(name):
    before, after = batch(), applied(name, SETTINGS[name][1], batch())
    for key in ("wave", "mel", "label", "device"):
        np.testing.assert_array_equal(after[key], before[key])
    if name in MIXING:
        np.testing.assert_array_equal(after["share"], [[1, 0]] * 6)
        np.testing.assert_array_equal(after["teacher"][:, 0], before["teacher"])


@every_augmentation
def test_a_batch_of_one_works(name):
    after = changed(name, applied(name, SETTINGS[name][0], batch(1)))
    assert after.shape == changed(name, batch(1)).shape and np.isfinite(after).all()


@every_augmentation
def test_silence_and_constants_stay_finite(name):
    values = batch() | {"wave": tf.zeros((6, RATE)), "mel": tf.fill((6, BANDS, FRAMES, 1), -11.512925)}
    assert np.isfinite(changed(name, applied(name, SETTINGS[name][0], values))).all()


@every_augmentation
def test_runs_in_a_pipeline_whose_last_batch_is_smaller(name):
    module = registry.module("augmentation", name)
    extra = (RATE,) if module.ON == "wave" else ()
    source = tf.data.Dataset.from_tensor_slices(batch(5)).batch(3)
    run = source.map(lambda b: module.apply(b, tf.constant([1, 2]), *extra, **SETTINGS[name][0]))
    assert run.element_spec[module.ON].shape.as_list() == [None, *batch()[module.ON].shape[1:]]
    assert [len(values[module.ON]) for values in run] == [3, 2]


# Reported settings of each system, as far as they are known, as recipe keys.
PUBLISHED = [
    ("DIR, EUSIPCO 2023", "device_impulse", {"p": 0.4, "folder": ".", "only_device": "a"}),
    ("CP-JKU 2023", "device_impulse", {"p": 0.6, "folder": ".", "only_device": "a"}),
    ("CP-JKU 2023", "time_roll", {"max_shift_s": 0.125}),
    ("DCASE 2024 baseline", "freq_mask", {"max_bands": 48, "fill": -11.512925}),
    ("DCASE 2024 baseline", "freq_mixstyle", {"p": 0.4, "alpha": 0.3}),
    ("jku2024, CP-Mobile", "freq_mixstyle", {"p": 0.6, "alpha": 0.4}),
    ("jku2024, CP-ResNet", "freq_mixstyle", {"p": 0.7, "alpha": 0.6}),
    ("jku2024, PaSST", "freq_mixstyle", {"p": 0.4, "alpha": 0.4}),
    ("jku2024, CP-Mobile", "device_impulse", {"p": 0.6, "folder": ".", "only_device": "a"}),
    ("jku2024, CP-ResNet", "device_impulse", {"p": 0.7, "folder": ".", "only_device": "a"}),
    ("jku2024", "time_roll", {"max_shift_s": 0.1}),
    ("jku2024, PaSST", "time_roll", {"max_shift_s": 0.125}),
    ("jku2024", "freq_mask", {"max_bands": 48, "fill": -11.512925}),
    ("jku2024, ablation", "filter_augment", {"step_share": 0, "domain": "log_as_authors"}),
    ("irmamba2024", "device_impulse", {"p": 0.6, "folder": ".", "only_device": "a", "min_energy": 323}),
    ("irmamba2024", "time_roll", {"max_shift_s": 0.15}),
    ("irmamba2024", "freq_mixstyle", {"p": 0.4, "alpha": 0.3}),
    ("DyMN teachers 2024", "freq_mask", {"max_bands": 48, "fill": 0.0}),
    ("DyMN teachers 2024", "freq_mixstyle", {"p": 0.4, "alpha": 0.4}),
    ("DyMN teachers 2024", "mixup", {"alpha": 0.3}),
    ("DyMN teachers 2024", "fmix", {"alpha": 1, "decay": 3}),
    ("FMix as released", "fmix", {"alpha": 1, "decay": 3, "as_released": True}),
    ("CP-JKU 2022", "mixup", {"alpha": 0.3}),
    ("CP-JKU 2022", "freq_mixstyle", {"p": 0.6, "alpha": 0.3}),
    ("ait2023, teachers (alpha is our choice)", "mixup", {"alpha": 0.4}),
    ("PaSST 2023", "time_roll", {"max_shift_s": 0.3125}),
    ("PaSST 2023", "freq_mask", {"max_bands": 48, "fill": 0}),
    ("PaSST 2023", "time_mask", {"max_frames": 20, "fill": 0}),
    ("AST", "time_mask", {"max_frames": 192, "fill": 0}),
    ("AST", "wave_mixup", {"p": 0.5, "alpha": 10}),
    ("EfficientAT", "wave_mixup", {"p": 0.5, "alpha": 2}),
    ("EfficientAT", "gain", {"max_db": 12, "whole_db": True}),
    ("FilterAugment 2022, step", "filter_augment", {"step_share": 1, "domain": "decibel"}),
    ("FilterAugment 2022, mixed", "filter_augment", {"step_share": 0.5, "domain": "decibel"}),
    ("FilterAugment 2021", "filter_augment", {
        "step_share": 1, "domain": "decibel", "db": [-7.5, 6], "step_bands": [2, 5], "step_min_width": 0,
    }),
]  # fmt: skip


@pytest.mark.parametrize(("system", "name", "settings"), PUBLISHED)
def test_published_settings_are_valid_in_a_recipe(system, name, settings):
    checked = registry.check("augmentation", name, settings)
    assert checked.items() >= settings.items()
