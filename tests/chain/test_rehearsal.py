"""Every shipped recipe goes the whole way of its chain for a few steps; PaSST and AST at full size.

To save time, [quantise] is left out where the network and the way of quantising are those of a recipe before it, the
large networks on AudioSet have a smaller batch, and little is measured.
"""

import dataclasses
from collections import defaultdict

import pytest

from asc_tf.chain.rehearsal_data import RehearsalData
from asc_tf.chain.rehearse import rehearse
from asc_tf.errors import UserError
from asc_tf.recipe import resolve

pytestmark = [pytest.mark.slow, pytest.mark.long]
SMALL_BATCH = ["*_audioset:train.batch_size=2"]
FULL_SIZE = ["*:train.batch_size=2", "*:data.validation_share=0.02"]
OF_FULL_SIZE = ["jku2024_passt", "tencent2023_ast"]  # each with the stage on AudioSet before it


def groups():
    """Names of the shipped recipes by folder, those of no folder one by one, without stages of OF_FULL_SIZE."""
    stages = {one.name for name in OF_FULL_SIZE for one in resolve.dependencies(resolve.load(name))}
    result = defaultdict(list)
    for name in resolve.names():
        folder = resolve.find(name).parent
        if folder != resolve.SHIPPED:
            result[folder.name].append(name)
        elif name not in stages:
            result[name].append(name)
    return result


def load(name):
    """A shipped recipe with its small settings, if there are any."""
    small = resolve.find(name).with_name(resolve.SMALL).is_file()
    try:
        return resolve.load(name, SMALL_BATCH, small=small)
    except UserError:  # no recipe of the chain has such a name
        return resolve.load(name, small=small)


@pytest.mark.parametrize("group", groups())
def test_every_recipe_goes_the_whole_way(group, tmp_path, capsys):
    data, quantised, rehearsed = RehearsalData(tmp_path / "scratch"), set(), set()
    for recipe in sorted(map(load, groups()[group]), key=lambda one: -len(resolve.dependencies(one))):
        name = recipe.name
        if name in rehearsed:  # as a stage of another one
            continue
        rehearsed.update(one.name for one in [recipe, *resolve.dependencies(recipe)])
        way = repr((recipe.model, recipe.quantise))
        if recipe.quantise and way in quantised:
            recipe = dataclasses.replace(recipe, quantise=None)
        quantised.add(way)
        estimates = rehearse(recipe, tmp_path / "runs" / name, budget_s=0.0, data=data)
        assert all(one.seconds > 0 and one.steps > 0 and one.memory_bytes > 0 for one in estimates)
        assert "in all: " in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", OF_FULL_SIZE)
def test_transformers_of_published_size(name, tmp_path):
    recipe = resolve.load(name, FULL_SIZE)
    estimates = rehearse(recipe, tmp_path / "runs" / name, budget_s=0.0)
    assert [one.stage.title for one in estimates] == ["init", "student"]
    assert estimates[-1].memory_bytes > 1e9
