"""Bad input to the main program: one line that names the place and the fix, status 2, nothing lost."""

import shutil

import pytest
import soundfile

from asc_tf.evaluate import main as evaluate
from asc_tf.predict import main as predict
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder
from asc_tf.train import main as train


@pytest.fixture
def alone(tiny):
    return tiny.parent / "tiny_teacher.toml"


def refused(capsys, program, *arguments):
    assert program(list(map(str, arguments))) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in lines if not line.startswith("prepare: ")]) == 1, lines
    return lines[-1]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.widht=3", "train: {recipe}: models/cp_mobile has no 'widht'. Did you mean 'width'?"),
        ("dataset.root=nowhere", "dataset.root = 'nowhere': there is no such folder"),
        ("dataset.split_csv=none.csv", "none.csv"),
        ("train.batch_size=5000", "train.batch_size = 5000 is more than the"),
    ],
)
def test_wrong_values(alone, tmp_path, capsys, override, message):
    out = tmp_path / "run"
    assert message.format(recipe=alone) in refused(capsys, train, alone, "--out", out, "--set", override)


def test_unwritable_run_folder(alone, tmp_path, capsys):
    (tmp_path / "file").write_text("kept")
    assert "cannot be written" in refused(capsys, train, alone, "--out", tmp_path / "file/run")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_run_folder_of_another_recipe(alone, tmp_path, capsys):
    other = run_folder.create(tmp_path / "run", recipe.load(alone, ["train.batch_size=8"]), resume=False)
    other.write("state.npz", b"")
    before = (tmp_path / "run/recipe.toml").read_text()
    message = refused(capsys, train, alone, "--out", tmp_path / "run", "--resume")
    assert "the run of another recipe" in message and "train.batch_size: 16, 8" in message
    assert (tmp_path / "run/recipe.toml").read_text() == before


def test_too_many_bad_files(alone, tmp_path, capsys):
    for label in ("one", "two"):
        (tmp_path / f"sounds/{label}").mkdir(parents=True)
        for take in range(4):
            soundfile.write(tmp_path / f"sounds/{label}/{take}.wav", [0.1, -0.1] * 4000, 8000)
    bad = tmp_path / "sounds/one/3.wav"
    bad.write_bytes(bad.read_bytes()[:900])
    options = ["--set", f"dataset.root={tmp_path}/sounds", "--set", f"data.prepared_folder={tmp_path}/prepared"]
    message = refused(capsys, train, alone, "--out", tmp_path / "run", *options)
    assert "3.wav" in message and "truncated" in message and "data.max_bad_share" in message


def test_not_a_run_folder(tmp_path, capsys):
    assert "is not a run folder" in refused(capsys, evaluate, tmp_path)
    assert "is not a run folder" in refused(capsys, predict, tmp_path, "some.wav")


RUNS = ["one", "two", "--fuse", "prod", "--out"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one", "two", "--out", "fused"], "--fuse prod or --fuse mean, and --out FOLDER belong together"),
        (["one", "two", "--fuse", "mean"], "belong together"),
        (["one", "one", "--fuse", "mean", "--out", "fused"], "several different runs"),
        (["one", "--fuse", "mean", "--out", "fused"], "several different runs"),
        (["one", "--out", "fused"], "several different runs"),
        ([*RUNS, "two"], "two: is a run folder, whose own report would be lost"),
        ([*RUNS, "fused"], "two: tests other clips than one: 'high/high0.wav#0' where that has 'high/high11.wav#0'"),
        (["one", "three", "--fuse", "prod", "--out", "fused"], "three: has other classes than one"),
    ],
)
def test_runs_that_cannot_be_judged_as_one(alone, recordings, tmp_path, monkeypatch, capsys, arguments, message):
    fewer = tmp_path / "fewer"
    shutil.copytree(recordings, fewer, ignore=shutil.ignore_patterns("high"))
    for name, override in (("one", "seed=1"), ("two", "dataset.test_share=0.5"), ("three", f"dataset.root={fewer}")):
        run = run_folder.create(tmp_path / name, recipe.load(alone, [override]), resume=False)
        run.write("labels.txt", "low\nmiddle\n" if name == "three" else "high\nlow\nmiddle\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("asc_tf.evaluation.evaluate.load_forms", lambda run: None)  # they are not trained
    assert message in refused(capsys, evaluate, *arguments)
    assert not (tmp_path / "fused").exists()


def test_help_answers_without_tensorflow():
    import subprocess
    import sys

    code = "import sys; from asc_tf.train import main; sys.argv=['x','--help']\ntry: main()\nexcept SystemExit: pass\n"
    code += "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
