"""Every shipped recipe goes the whole way of its chain for a few steps; PaSST and AST at full size."""

from collections import defaultdict

import pytest

from asc_tf.chain.rehearsal_data import RehearsalData
from asc_tf.chain.rehearse import rehearse
from asc_tf.recipe import resolve

pytestmark = [pytest.mark.slow, pytest.mark.rehearsal]
BUDGET_S = 1.0
OWN_CLIPS = {"esc10_cp_mobile", "cpjku2023_cp_mobile_int8"}  # of folders that only their users have
FULL_SIZE = ["*:train.batch_size=2", "*:data.validation_share=0.02"]


def groups():
    """Names of the shipped recipes by folder, those of no folder one by one."""
    result = defaultdict(list)
    for name in resolve.names():
        folder = resolve.find(name).parent
        result[name if folder == resolve.SHIPPED else folder.name].append(name)
    return result


@pytest.mark.parametrize("group", groups())
def test_every_recipe_goes_the_whole_way(group, tmp_path, capsys):
    data = RehearsalData(tmp_path / "scratch")
    for name in groups()[group]:
        recipe = resolve.load(name, small=resolve.find(name).with_name(resolve.SMALL).is_file())
        estimates = rehearse(recipe, tmp_path / "runs" / name, budget_s=BUDGET_S, data=data)
        assert estimates[-1].stage.recipe.name == name or recipe.member
        assert all(one.seconds > 0 and one.steps > 0 and one.memory_bytes > 0 for one in estimates)
        assert "in all: " in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["jku2024_passt", "tencent2023_ast"])
def test_transformers_of_published_size(name, tmp_path):
    recipe = resolve.load(name, FULL_SIZE)
    estimates = rehearse(recipe, tmp_path / "runs" / name, budget_s=0.0)
    assert [one.stage.title for one in estimates] == ["init", "student"]
    assert estimates[-1].memory_bytes > 1e9
