import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import registry


def test_the_folder_is_the_registry():
    assert registry.names("feature") == ["cqt", "gammatone", "log_mel"]
    assert registry.names("augmentation") == [
        *("device_impulse", "filter_augment", "fmix", "freq_mask", "freq_mixstyle", "gain", "mixup", "noise"),
        *("playback", "time_mask", "time_roll", "wave_mixup"),
    ]
    assert registry.names("dataset") == ["audioset", "esc", "folder", "made_up", "tau"]
    assert {"cp_mobile", "cp_resnet"} <= set(registry.names("model"))


def test_every_setting_of_every_part_is_typed():
    for kind in registry.KINDS:
        for name in registry.names(kind):
            with pytest.raises(UserError, match="has no 'no_such_setting'"):
                registry.check(kind, name, {"no_such_setting": 1})


def test_unknown_part_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'log_mel'"):
        registry.module("feature", "logmel")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"p": 0.4, "alfa": 0.3}, r"augmentation/freq_mixstyle has no 'alfa'. Did you mean 'alpha'\? Known: p, alpha."),
        ({"p": 0.4}, "needs 'alpha'"),
        ({"p": "0.4", "alpha": 0.3}, "p = '0.4' must be a number"),
        ({"p": True, "alpha": 0.3}, "p = True must be a number"),
    ],
)
def test_settings_must_fit_the_signature(settings, message):
    with pytest.raises(UserError, match=message):
        registry.check("augmentation", "freq_mixstyle", settings)


def test_whole_numbers_serve_as_floats_and_defaults_are_filled_in():
    checked = registry.check("augmentation", "device_impulse", {"p": 1, "folder": "x"})
    assert checked == {"p": 1.0, "folder": "x", "only_device": "", "min_energy": 0.0}
    assert isinstance(checked["p"], float)
