"""Systems of several runs predict as their members' fused probabilities; untrained members do as well as others."""

import shutil

import numpy as np
import pytest

from asc_tf import build, metrics
from asc_tf.chain.stages import stages
from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import TrainedSystem, check_members, load_run
from asc_tf.recipe import resolve
from asc_tf.runs import folder as run_folder

LABELS = "high\nlow\nmiddle\n"
SOUND = np.random.default_rng(0).uniform(-0.1, 0.1, 20_000).astype("float32")
MODEL = 'model={name="ait_student", width=4, embedding=8, dropout=[0, 0, 0, 0, 0]}'  # built sooner than the tiny one
SYSTEM = """seed = 1
[dataset]
name = "folder"
root = "sounds"
[[member]]
recipe = "tiny_teacher"
runs = 2
[fuse]
method = "prod"
"""


def finish(run, **files):
    for name, content in {"recipe.toml": resolve.to_toml(run.recipe), "labels.txt": LABELS, **files}.items():
        run.write(name, content)
    run.write("metrics.json", "{}")


@pytest.fixture
def folder(tiny):
    """The folder of a system of two untrained members, as training leaves it."""
    (tiny.parent / "system.toml").write_text(SYSTEM)
    last = stages(resolve.load(tiny.parent / "system.toml", [f"*_teacher:{MODEL}"]), tiny.parent / "runs/system")
    for member in last.members:
        finish(member.run, **{"weights/best.weights.h5": build.network(member.recipe, 3).save_weights})
    finish(last.run)
    last.run.write_json("members.json", [f"../{member.path.name}" for member in last.members])
    return last.path


def member_paths(folder):
    return sorted(folder.parent.glob("tiny_teacher-*"))


def test_predictions_are_those_of_the_members_fused(folder):
    system = load_run(folder)
    assert isinstance(system, TrainedSystem) and system.labels == ("high", "low", "middle")
    assert system.path == folder and system.forms == ["float"] and len(member_paths(folder)) == 2
    own = [load_run(path).predict(SOUND, 8000) for path in member_paths(folder)]
    assert np.abs(own[0] - own[1]).max() > 1e-3
    np.testing.assert_array_equal(system.predict(SOUND, 8000), metrics.fuse(own, "prod"))
    product = own[0].astype("float64") * own[1]
    np.testing.assert_allclose(system.predict(SOUND, 8000), product / product.sum(-1, keepdims=True), rtol=1e-5)


def test_the_mean_of_the_members(folder):
    text = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(text.replace('method = "prod"', 'method = "mean"'))
    own = [load_run(path).predict(SOUND, 8000) for path in member_paths(folder)]
    np.testing.assert_allclose(load_run(folder).predict(SOUND, 8000), np.mean(own, axis=0), rtol=1e-6)


def test_a_form_is_one_of_every_member(folder):
    system = load_run(folder)
    forms = system.form("float")
    assert len(forms) == 2
    for form, member in zip(forms, system.members, strict=True):
        inputs = member.front_end(SOUND[None, :8000])
        np.testing.assert_allclose(form(inputs), member.form("float")(inputs))
    with pytest.raises(UserError, match="no form 'tflight' of a run. Did you mean 'tflite'"):
        system.form("tflight")
    with pytest.raises(UserError, match="model.tflite: is missing"):
        system.predict(SOUND, 8000, form="tflite")


def test_a_system_moves_with_its_members(folder, tmp_path):
    shutil.move(folder.parent, tmp_path / "elsewhere")
    assert load_run(tmp_path / "elsewhere/system").predict(SOUND, 8000).shape[1] == 3


def test_a_member_that_is_moved_away_is_named(folder, tmp_path):
    first = load_run(folder).members[0].path
    shutil.move(first, tmp_path / "away")
    with pytest.raises(UserError, match=f"system: its member .*{first.name} is not there; move the system together"):
        load_run(folder).predict(SOUND, 8000)


def test_where_one_run_is_needed_the_members_are_named(folder):
    with pytest.raises(UserError, match="is a system of several networks; name one of its members") as error:
        run_folder.load(folder)
    assert all(path.name in str(error.value) for path in member_paths(folder))
    (folder / "members.json").unlink()
    with pytest.raises(UserError, match="is a system of several networks; .* not trained yet"):
        run_folder.load(folder)


def test_members_have_the_same_classes(folder):
    first, second = member_paths(folder)
    assert check_members([TrainedRun(run_folder.load(path)) for path in (first, second)]) == ("high", "low", "middle")
    (second / "labels.txt").write_text("low\nhigh\nmiddle\n")
    with pytest.raises(UserError, match=f"{second.name}: has other classes than .*{first.name}"):
        check_members([TrainedRun(run_folder.load(path)) for path in (first, second)])
