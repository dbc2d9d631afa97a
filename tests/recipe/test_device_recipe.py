"""[per_device]: the recipe of the network of one device, and what is wrong in the section."""

import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.recipe.device_recipe import device_recipe

SECTION = 'per_device={epochs=3, learning_rate=1e-4, without=["freq_mixstyle"]}'
RAMP = "distill.label_weight={start=0.9, end=0.2, last_epoch=5}"


def test_the_recipe_of_a_device_differs_by_its_section(tiny):
    recipe = resolve.load(tiny, [SECTION, RAMP, "per_device.batch_size=4"])
    of_device = device_recipe(recipe)
    assert (of_device.train.epochs, of_device.train.batch_size) == (3, 4)
    assert (of_device.train.learning_rate, of_device.train.warmup_steps) == (1e-4, 0)
    assert [part.name for part in of_device.augmentation] == ["time_roll"]
    assert of_device.distill.label_weight == 0.2 and of_device.per_device is None and of_device.init.keep_head
    same = ("seed", "dataset", "feature", "model", "data", "normalise", "teacher", "quantise")
    assert all(getattr(of_device, name) == getattr(recipe, name) for name in same)
    assert of_device.train.weight_decay == recipe.train.weight_decay
    assert device_recipe(resolve.load(tiny, [SECTION])).train.batch_size == recipe.train.batch_size


def test_both_recipes_survive_writing(tiny, tmp_path):
    recipe = resolve.load(tiny, [SECTION, RAMP])
    for one in (recipe, device_recipe(recipe)):
        (tmp_path / "recipe.toml").write_text(resolve.to_toml(one))
        assert resolve.load(tmp_path / "recipe.toml") == one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("per_device.without=['mixup']", "per_device: without = 'mixup' is no augmentation here. .*time_roll"),
        ("per_device.devices=['a', 'a']", "per_device: devices must be names of devices, each once"),
        ("per_device.devices=['']", "per_device: devices must be names"),
        ("per_device.train=heads", "per_device: train = 'heads' is not a choice. Did you mean 'head'"),
        ("per_device.batch_size=1", "per_device: batch_size = 1 must be at least 2"),
        ("per_device={epochs=3}", "per_device needs 'learning_rate'"),
    ],
)
def test_what_is_wrong_in_the_section_is_named(tiny, change, message):
    with pytest.raises(UserError, match=message):
        resolve.load(tiny, [SECTION, change])


def test_what_a_device_leaves_out_is_not_left_out_by_quantise_again(tmp_path):
    names = [part.name for part in resolve.load("quickstart").augmentation]
    left_out = [f'per_device={{epochs=1, learning_rate=1e-4, without=["{names[0]}"]}}']
    left_out += [f'quantise.without=["{names[0]}", "{names[1]}"]']
    of_device = device_recipe(resolve.load("quickstart", left_out))
    assert of_device.quantise.without == [names[1]]
    (tmp_path / "of_device.toml").write_text(resolve.to_toml(of_device))
    assert [part.name for part in resolve.load(tmp_path / "of_device.toml").augmentation] == names[1:]
