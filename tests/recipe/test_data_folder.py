"""--data: where the folders lie that recipes name by relative paths."""

import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import resolve


def root(recipe):
    return recipe.dataset.settings["root"]


def impulses(recipe):
    (settings,) = [part.settings for part in recipe.augmentation if part.name == "device_impulse"]
    return settings["folder"]


@pytest.fixture
def folder(tmp_path):
    """A folder with TAU, AudioSet and impulse responses, all empty."""
    for name in ("tau2022", "audioset", "micirp"):
        (tmp_path / "data" / name).mkdir(parents=True)
    return tmp_path / "data"


def test_folders_of_a_whole_chain_are_below_it(folder):
    student = resolve.load("jku2024_s1", data=folder)
    assert root(student) == str(folder / "tau2022") and impulses(student) == str(folder / "micirp")
    roots = {one.name: root(one) for one in resolve.dependencies(student)}
    assert roots.pop("jku2024_cp_mobile_audioset") == str(folder / "audioset")
    assert set(roots.values()) == {str(folder / "tau2022")}


def test_the_folder_may_be_the_datasets_own(folder):
    (folder / "tau2022/meta.csv").touch()
    student = resolve.load("jku2024_s1", data=folder / "tau2022")
    assert root(student) == str(folder / "tau2022")
    assert {root(runs[0]) for runs in resolve.teachers(student)} == {str(folder / "tau2022")}


def test_what_is_below_it_comes_before_its_own_tables(folder):
    (folder / "meta.csv").touch()
    assert root(resolve.load("jku2024_s1", data=folder)) == str(folder / "tau2022")


def test_an_absent_part_stays_where_it_would_be(tmp_path):
    student = resolve.load("jku2024_s1", data=tmp_path)
    assert root(student) == str(tmp_path / "tau2022") and impulses(student) == "micirp"


def test_an_absent_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match="--data .*absent: there is no such folder"):
        resolve.load("jku2024_s1", data=tmp_path / "absent")


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("path", ["/scenes/tau", "~/scenes", "$SCENES/tau"])
def test_absolute_paths_stay(folder, monkeypatch, path, own):
    monkeypatch.setenv("SCENES", "/scenes")
    monkeypatch.setenv("HOME", "/scenes")
    if own:
        (folder / "meta.csv").touch()
    student = resolve.load("jku2024_s1", [f"*:dataset.root={path}"], data=folder)
    assert root(student) == {"~/scenes": "/scenes/scenes"}.get(path, "/scenes/tau")


def test_made_up_scenes_stay_where_they_are_made(folder):
    plain = root(resolve.load("quickstart"))
    assert root(resolve.load("quickstart", data=folder)) == plain
    (folder / plain).mkdir()
    assert root(resolve.load("quickstart", data=folder)) == str(folder / plain)
