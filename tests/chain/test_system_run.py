"""A system of two small networks goes the whole way in one command; its folder is used as a run's."""

import json
import shutil

import numpy as np
import pytest

from asc_tf import metrics
from asc_tf.complexity import main as complexity
from asc_tf.evaluate import main as evaluate
from asc_tf.inference.system import load_run
from asc_tf.predict import main as predict
from asc_tf.train import main as train

pytestmark = [pytest.mark.slow, pytest.mark.long]
MODEL = """[model]
name = "ait_student"
width = {width}
embedding = 16
dropout = [0, 0, 0, 0, 0]
"""
QUANTISE = '[quantise]\nmethod = "ptq"\ncalibration_clips = 16\n'
SYSTEM = """seed = 1
[dataset]
name = "folder"
root = "{root}"
test_share = 0.3
[data]
prepared_folder = "{root}/../prepared"
validation_share = 0.2
[[member]]
recipe = "narrow"
[[member]]
recipe = "wide"
[fuse]
method = "{method}"
"""


@pytest.fixture(scope="module")
def folder(tiny_in, recordings, tmp_path_factory):
    """Recipes of two members of two epochs, and of two systems of both."""
    folder = tmp_path_factory.mktemp("system")
    text = (tiny_in(folder).parent / "tiny_teacher.toml").read_text().replace("epochs = 16", "epochs = 2")
    before, after = text.split("[model]")
    after = after[after.index("[train]") :]
    for name, width in (("narrow", 4), ("wide", 8)):
        (folder / f"{name}.toml").write_text(before + MODEL.format(width=width) + QUANTISE + after)
    for name, method in (("system", "prod"), ("second", "mean")):
        (folder / f"{name}.toml").write_text(SYSTEM.format(root=recordings, method=method))
    return folder


@pytest.fixture(scope="module")
def system(folder):
    """The folder of the trained system."""
    assert train([str(folder / "system.toml"), "--out", str(folder / "runs/system")]) == 0
    return folder / "runs/system"


def members(system):
    return [system.parent / path.name for name in ("narrow", "wide") for path in system.parent.glob(f"{name}-1-*")]


def report(run):
    return json.loads((run / "metrics.json").read_text())


def test_members_and_their_fusion_are_side_by_side(system):
    own = members(system)
    assert len(own) == 2 and list(report(system)) == ["float", "int8"]
    for name, figures in report(system).items():
        of_members = [report(run)[name] for run in own]
        assert [run.rpartition("/")[2] for run in figures["members"]] == [run.name for run in own]
        for run, figures_of_run in zip(figures["members"].values(), of_members, strict=True):
            assert run["macro_accuracy"] == figures_of_run["macro_accuracy"]
        for key in ("parameters", "bytes", "macs"):
            assert figures["cost"][key] == sum(one["cost"][key] for one in of_members)
        assert 0 < figures["macro_accuracy"] <= 1
    assert (system / "confusion_float.png").is_file() and (system / "confusion_int8.png").is_file()


def test_the_files_for_the_device_are_together(system):
    described = json.loads((system / "export/system.json").read_text())
    assert described["labels"] == ["high", "low", "middle"] == (system / "labels.txt").read_text().split()
    assert described["fuse"]["method"] == "prod" and "product" in described["fuse"]["rule"]
    own = members(system)
    assert [member["name"] for member in described["members"]] == [run.name for run in own]
    for member, run in zip(described["members"], own, strict=True):
        assert {"model.tflite", "model.json"} <= member["files"].keys()
        for name, path in member["files"].items():
            assert (system / "export" / path).read_bytes() == (run / "export" / name).read_bytes()


def test_programs_take_its_folder(system, recordings, capsys):
    before = report(system)
    assert evaluate([str(system)]) == 0
    assert report(system) == before
    shown = capsys.readouterr().out
    assert all(f"  of {run}  " in shown for run in members(system))
    file = str(recordings / "high/high3.wav")
    for extra, form in (([], "float"), (["--tflite"], "tflite")):
        capsys.readouterr()
        assert predict([str(system), file, "--json", *extra]) == 0
        answer = json.loads(capsys.readouterr().out)[file]
        own = metrics.fuse([load_run(run).predict(file, form=form) for run in members(system)], "prod")
        np.testing.assert_allclose(answer["seconds"], own, atol=1e-4)
        assert answer["labels"] == ["high", "low", "middle"]
    assert complexity([str(system)]) == 0
    shown = capsys.readouterr().out
    assert all(run.name in shown for run in members(system))
    assert f"{before['int8']['cost']['parameters']:,}" in shown and f"{before['int8']['cost']['macs']:,}" in shown


def test_the_same_command_again_says_that_it_is_finished(system, folder, capsys):
    command, before = [str(folder / "system.toml"), "--out", str(system)], report(system)
    assert train(command) == 2
    assert "runs/system: this run is finished" in capsys.readouterr().err
    assert train([*command, "--resume"]) == 0
    shown = capsys.readouterr().out
    assert "runs/system: this run is finished" in shown and "epoch" not in shown and report(system) == before


def test_a_second_system_with_the_same_members_reuses_them(system, folder, capsys):
    assert train([str(folder / "second.toml"), "--out", str(folder / "runs/second")]) == 0
    shown = capsys.readouterr().out
    assert shown.count("finished, reused") == 2 and "epoch  " not in shown
    for run in members(system):
        assert f"member {run.name}: reused" in shown
    first, second = report(system)["float"], report(folder / "runs/second")["float"]
    assert first["members"].keys() == second["members"].keys() and first["cost"] == second["cost"]
    assert json.loads((folder / "runs/second/export/system.json").read_text())["fuse"]["method"] == "mean"


def test_a_system_goes_on_with_the_member_that_is_not_finished(system, folder, tmp_path, capsys):
    for run in members(system):
        shutil.copytree(run, tmp_path / run.name)
    (tmp_path / members(system)[1].name / "metrics.json").unlink()
    assert train([str(folder / "system.toml"), "--out", str(tmp_path / "system"), "--resume"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("finished, reused") == 1 and "to do, from epoch 3 on" in shown and "epoch  " not in shown
    assert [one["macro_accuracy"] for one in report(tmp_path / "system").values()] == [
        one["macro_accuracy"] for one in report(system).values()
    ]
