"""[[member]] and [fuse]: recipes of systems of several networks."""

import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import resolve

SYSTEM = """seed = 4
[dataset]
name = "folder"
root = "recordings"
[data]
validation_share = 0.3
"""
TWO = '[[member]]\nrecipe = "tiny_teacher"\n[[member]]\nrun = "runs/other"\n'
FUSE = '[fuse]\nmethod = "prod"\n'


@pytest.fixture
def load(tiny):
    """Loads a system's recipe that has this text after seed, dataset and data."""
    file = tiny.parent / "system.toml"

    def load(text, *overrides):
        file.write_text(SYSTEM + text)
        return resolve.load(file, overrides)

    return load


def test_members_are_trained_on_the_systems_data_with_its_seed(load):
    system = load('[[member]]\nrecipe = "tiny_teacher"\nruns = 2\n[[member]]\nrun = "runs/other"\n' + FUSE)
    (first, second), named = resolve.members(system)
    assert named == [] and (first.seed, second.seed) == (4, 5)
    for member in (first, second):
        assert member.name == "tiny_teacher" and member.dataset == system.dataset and member.data == system.data
        assert member.model.name == "cp_mobile"
    assert [one.seed for one in resolve.dependencies(system)] == [4, 5]


def test_a_systems_recipe_survives_writing(load, tmp_path):
    system = load(TWO + FUSE)
    (tmp_path / "recipe.toml").write_text(resolve.to_toml(system))
    assert resolve.load(tmp_path / "recipe.toml") == system
    other = load(TWO + FUSE, "fuse.method=mean")
    assert resolve.differences(system, other) == ["fuse.method: 'prod', 'mean'"]


def test_keys_of_members_and_of_the_fusion_can_be_set(load):
    system = load(TWO + FUSE, "fuse.method=mean", "member.tiny_teacher.runs=3", "tiny_teacher:train.epochs=2")
    assert system.fuse.method == "mean" and system.member[0].runs == 3
    assert {one.train.epochs for one in resolve.members(system)[0]} == {2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TWO, r"\[\[member\]\] and \[fuse\] belong together"),
        (FUSE, r"\[\[member\]\] and \[fuse\] belong together"),
        (
            TWO + FUSE + '[model]\nname = "ait_student"\n[init]\nrecipe = "tiny"\n',
            "leave model, init out; it has seed, ",
        ),
        ('[[member]]\nrecipe = "tiny_teacher"\n' + FUSE, "has at least two members; add another"),
        (TWO + "[[member]]\nruns = 1\n" + FUSE, "give either a recipe or the folder of a run"),
        (TWO + '[[member]]\nrecipe = "tiny"\nrun = "runs/a"\n' + FUSE, "give either a recipe or the folder of a run"),
        (TWO + '[[member]]\nrun = "runs/a"\nruns = 2\n' + FUSE, "runs is for a recipe; a folder is one run"),
        (TWO + '[fuse]\nmethod = "product"\n', "method = 'product' is not a choice. Did you mean 'prod'"),
        (TWO + "[fuse]\n", "fuse needs 'method'"),
    ],
)
def test_mistakes_name_the_file_and_the_fix(load, text, message):
    with pytest.raises(UserError, match=message) as error:
        load(text)
    assert "system.toml" in str(error.value) and "\n" not in str(error.value)


def test_seed_and_dataset_are_needed(load, tiny):
    (tiny.parent / "bare.toml").write_text(TWO + FUSE)
    with pytest.raises(UserError, match="'seed' is missing; every such recipe needs seed, dataset.$"):
        resolve.load(tiny.parent / "bare.toml")


def test_a_single_network_is_not_a_system(load, tiny):
    load(TWO + FUSE)
    file = tiny.parent / "system.toml"
    with pytest.raises(UserError, match="is a system of several networks; name one of its members: tiny_teacher, runs"):
        resolve.load_single(file)
    assert resolve.load_single(tiny).name == "tiny"
