"""asc-tf search on real, tiny runs: from space to recipes that train; kills; failures of training itself."""

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asc_tf.runs import folder as run_folder
from asc_tf.runs import layout
from asc_tf.train import main as train
from asc_tf.tuning import search as program
from asc_tf.tuning.engine import tuners

search = program.main

ROOT = Path(__file__).parents[2]
SHORT = ["--set", "*:train.epochs=2"]
SPACE = """
["model.width"]
kind = "choice"
choices = [8, 12]
["train.learning_rate"]
kind = "choice"
choices = [1e-2, 2e-2]
"""


@pytest.fixture
def space(tmp_path):
    (tmp_path / "space.toml").write_text(SPACE)
    return tmp_path / "space.toml"


def rows(out):
    return list(csv.DictReader((out / "trials.csv").open(newline="")))


@pytest.mark.slow
def test_a_search_from_space_to_recipes_that_train(tiny, space, tmp_path, capsys):
    out = tmp_path / "out"
    tiny.write_text(tiny.read_text().split("[quantise]")[0] + "[train]" + tiny.read_text().split("[train]")[1])
    arguments = [str(tiny), str(space), "--trials", "2", "--out", str(out), *SHORT]
    assert search(arguments) == 0
    shown = capsys.readouterr().out
    assert shown.count("teacher  epoch   2/2") == 1 and shown.count("student  epoch   2/2") == 2
    assert "2 of 2 done" in shown and "test" not in shown.split("trial 0 of 2")[1].split("2 of 2 trials")[0]
    for row in rows(out):
        run = run_folder.load(out / f"trials/{int(row['trial']):04d}-seed1")
        report = run.read(layout.VALIDATION)["float"]
        assert float(row["float.macro_accuracy"]) == pytest.approx(report["macro_accuracy"], abs=1e-6)
        assert int(row["macs"]) == run.read(layout.METRICS)["float"]["cost"]["macs"]
    before = (out / "search.json").read_bytes()
    assert search(arguments) == 0
    assert "epoch" not in capsys.readouterr().out and (out / "search.json").read_bytes() == before
    best = sorted((out / "best").iterdir())[0]
    assert train([str(best), "--out", str(out / "trials/again"), *SHORT]) == 0
    assert run_folder.load(out / "trials/again").finished


@pytest.mark.slow
@pytest.mark.long
def test_int8_after_training_over_two_seeds(tiny, space, tmp_path):
    options = ["--objective", "int8.macro_accuracy", "--ptq", "--trials", "1", "--seeds", "1,2"]
    assert search([str(tiny), str(space), "--out", str(tmp_path / "out"), *options, *SHORT]) == 0
    runs = [run_folder.load(tmp_path / f"out/trials/0000-seed{seed}") for seed in (1, 2)]
    figures = [run.read(layout.VALIDATION)["int8"]["macro_accuracy"] for run in runs]
    assert float(rows(tmp_path / "out")[0]["int8.macro_accuracy"]) == pytest.approx(sum(figures) / 2, abs=1e-6)
    assert [run.recipe.quantise.method for run in runs] == ["ptq", "ptq"]


@pytest.mark.slow
def test_a_loss_that_is_no_number_and_a_batch_that_is_too_large_fail_their_trials_only(tiny, tmp_path, capsys):
    (tmp_path / "bad.toml").write_text(
        '["train.learning_rate"]\nkind = "choice"\nchoices = [1e-2, 1e30]\n'
        '["train.batch_size"]\nkind = "choice"\nchoices = [16, 5000]\nwhen = { "train.learning_rate" = 1e-2 }\n'
    )
    out, teacher = tmp_path / "out", tiny.with_name("tiny_teacher.toml")
    command = [str(teacher), str(tmp_path / "bad.toml"), "--trials", "5", "--tuner", "grid", "--out", str(out), *SHORT]
    assert search(command) == 0
    reasons = {(row["train.learning_rate"], row["train.batch_size"]): row["reason"] for row in rows(out)}
    assert reasons["0.01", "16"] == ""
    assert "train.batch_size = 5000 is more than" in reasons["0.01", "5000"]
    assert "the loss is nan" in reasons["1e+30", ""] or "not numbers" in reasons["1e+30", ""]
    assert "the space has no further settings" in capsys.readouterr().out


def test_the_options_name_every_tuner():
    assert program.TUNERS == tuners.TUNERS


def test_mistakes_end_in_one_line(tiny, space, tmp_path, capsys, monkeypatch):
    def refused(*arguments):
        assert search([*map(str, arguments), "--trials", "2", "--out", str(tmp_path / "out")]) == 2
        return capsys.readouterr().err

    assert "there is no such file or shipped space" in refused(tiny, "nowhere")
    assert "no validation split" in refused(tiny, space, "--set", "data.validation_share=0")
    assert "there is no such figure" in refused(tiny, space, "--objective", "float.acuracy")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "needs KerasTuner: pip install 'asc_tf[tuning]'" in refused(tiny, space)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.long
def test_killed_in_every_epoch_and_started_again_a_search_is_that_of_one_never_killed(tiny, space, tmp_path):
    def command(out):
        arguments = [str(tiny), str(space), "--trials", "3", "--out", str(tmp_path / out), *SHORT]
        return [sys.executable, "-m", "asc_tf.tuning.search", *arguments]

    subprocess.run(command("whole"), cwd=ROOT, check=True, capture_output=True)
    for line in (
        "teacher  epoch   1/2",
        "trial 0: student  epoch   1/2",
        "trial 0: float",
        "trial 2: student  epoch   1",
    ):
        process = subprocess.Popen(
            command("killed"), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        next(text for text in process.stdout if line in text)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    done = subprocess.run(command("killed"), cwd=ROOT, check=True, capture_output=True, text=True)
    assert "goes on after epoch 1" in done.stdout and "trial 0: " not in done.stdout
    whole, killed = (
        json.loads((tmp_path / out / "search.json").read_text())["candidates"] for out in ("whole", "killed")
    )
    keys = ("drawn", "status", "values", "score", "number")
    assert [[one[key] for key in keys] for one in whole] == [[one[key] for key in keys] for one in killed]
    assert max(one["starts"] for one in killed) > 1
