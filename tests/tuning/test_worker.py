"""Processes of a search: what trials come to, kills, several at once.

Training and the count of a network's size, which test_plan.py tests, are replaced by functions of the width.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.training.callbacks import TrainingFailed
from asc_tf.tuning.engine import budget, space_file, trial
from asc_tf.tuning.engine.budget import Limits, Size
from asc_tf.tuning.run import search

ROOT = Path(__file__).parents[2]
SPACE = """
["model.width"]
kind = "choice"
choices = [8, 12, 16, 20, 24, 28, 32, 36, 40, 44]
"""
LIMITS = Limits(bytes=30_000)  # four of the ten widths are refused


@pytest.fixture(autouse=True)
def sizes(monkeypatch):
    monkeypatch.setattr(budget, "size", lambda recipe, classes: Size(*[1000 * recipe.model.settings["width"]] * 4))


@pytest.fixture
def space(tmp_path):
    (tmp_path / "space.toml").write_text(SPACE)
    return tmp_path / "space.toml"


def searched(tiny, space, out, *, trials=20, **settings):
    return search(resolve.load(tiny), space_file.load(space), trials=trials, out=out, limits=LIMITS, **settings)


def faked(monkeypatch, of_width):
    """Replaces the training of a trial by a function of its width."""
    monkeypatch.setattr(trial, "carry_out", lambda plan, folder, one: {"1": of_width(one.settings["model.width"])})


def table(out):
    """{width: (status, reason)} of the candidates."""
    records = json.loads((out / "search.json").read_text())
    return {one["settings"]["model.width"]: (one["status"], one["reason"]) for one in records["candidates"]}


def test_refused_and_failed_candidates_are_recorded_and_the_search_goes_on(tiny, space, tmp_path, monkeypatch, capsys):
    def of_width(width):
        if width == 8:
            raise RuntimeError("a bug\nin two lines")
        if width == 12:
            raise TrainingFailed("the loss is nan after epoch 0")
        if width == 16:
            raise MemoryError
        return width / 100

    faked(monkeypatch, of_width)
    searched(tiny, space, tmp_path / "out")
    rows, shown = table(tmp_path / "out"), capsys.readouterr().out
    assert {width for width, row in rows.items() if row[0] == "refused"} == {32, 36, 40, 44}
    assert "bytes of parameters are more than 30,000" in rows[32][1]
    assert rows[8] == ("failed", "RuntimeError: a bug")
    assert rows[12] == ("failed", "the loss is nan after epoch 0")
    assert rows[16] == ("failed", "out of memory (MemoryError)")
    assert all(rows[width] == ("finished", "") for width in (20, 24, 28))
    assert "best 0.2800" in shown and "no further trial: the space has no further settings" in shown
    for name in ("search.html", "search.md", "trials.csv"):
        text = (tmp_path / "out" / name).read_text()
        assert all(reason in text for reason in ("RuntimeError: a bug", "out of memory (MemoryError)", "30,000")), name


def test_whatever_a_networks_settings_raise_is_recorded(tiny, space, tmp_path, monkeypatch, capsys):
    def size(recipe, classes):
        if recipe.model.settings["width"] < 40:
            raise ZeroDivisionError("width")
        return Size(1, 1, 1, 1)

    faked(monkeypatch, lambda width: 0.5)
    monkeypatch.setattr(budget, "size", size)
    assert len(searched(tiny, space, tmp_path / "out").of_status("finished")) == 2
    assert table(tmp_path / "out")[8] == ("refused", "ZeroDivisionError: width")
    assert "not trained: model.width 8: ZeroDivisionError: width" in capsys.readouterr().out


def test_refused_candidates_cost_no_trial(tiny, space, tmp_path, monkeypatch):
    faked(monkeypatch, lambda width: 0.5)
    records = searched(tiny, space, tmp_path / "out", trials=6)
    assert len(records.of_status("finished")) == 6 and {one.number for one in records.trials} == set(range(6))


def test_a_full_disk_ends_the_search_and_fails_no_trial(tiny, space, tmp_path, monkeypatch):
    def full(width):
        raise UserError("cannot be written") from OSError(28, "No space left on device")

    faked(monkeypatch, full)
    with pytest.raises(UserError, match="cannot be written"):
        searched(tiny, space, tmp_path / "out")
    assert [row[0] for row in table(tmp_path / "out").values()].count("running") == 1
    faked(monkeypatch, lambda width: 0.5)
    assert not searched(tiny, space, tmp_path / "out").of_status("failed")


def test_a_search_without_a_finished_trial_names_the_reasons(tiny, space, tmp_path, monkeypatch):
    def fail(width):
        raise ValueError("nothing works")

    faked(monkeypatch, fail)
    with pytest.raises(UserError, match="no trial was finished: .*ValueError: nothing works"):
        searched(tiny, space, tmp_path / "out", trials=2)


def test_limits_that_nothing_keeps_end_the_search(tiny, space, tmp_path):
    with pytest.raises(UserError, match="bytes of parameters are more than 10"):
        search(resolve.load(tiny), space_file.load(space), trials=3, out=tmp_path / "out", limits=Limits(bytes=10))


def test_more_trials_go_on_with_a_finished_search(tiny, space, tmp_path, monkeypatch):
    faked(monkeypatch, lambda width: width / 100)
    searched(tiny, space, tmp_path / "out", trials=2)
    before = table(tmp_path / "out")
    assert len(searched(tiny, space, tmp_path / "out", trials=4).of_status("finished")) == 4
    assert before.items() <= table(tmp_path / "out").items()


def test_the_size_penalty_changes_the_best(tiny, space, tmp_path, monkeypatch):
    faked(monkeypatch, lambda width: width / 1000)
    best = {}
    for penalty in (0.0, 1.0):
        searched(tiny, space, tmp_path / f"{penalty}", size_penalty=penalty)
        first = sorted((tmp_path / f"{penalty}/best").iterdir())[0]
        best[penalty] = resolve.load(first).model.settings["width"]
    assert best == {0.0: 28, 1.0: 8}


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"objective": "float.log_loss"}, "--objective"), ({"tuner": "grid"}, "--tuner"), ({"seeds": [1, 2]}, "--seeds")],
)
def test_another_search_in_the_same_folder_is_refused(tiny, space, tmp_path, monkeypatch, settings, key):
    faked(monkeypatch, lambda width: 0.5)
    searched(tiny, space, tmp_path / "out", trials=1)
    with pytest.raises(UserError, match=f"is a search with another {key} .*choose another --out"):
        searched(tiny, space, tmp_path / "out", trials=1, **settings)


def test_a_folder_of_other_files_is_refused_and_left_as_it_is(tiny, space, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty and no search"):
        searched(tiny, space, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["thesis.txt"]


WORKER = """
import sys
from pathlib import Path
from asc_tf.recipe import resolve
from asc_tf.tuning.engine import budget, space_file, trial
from asc_tf.tuning.engine.budget import Limits, Size
from asc_tf.tuning.run import search

recipe, space, out = map(Path, sys.argv[1:])

def carry_out(plan, folder, one):
    print("start", one.number, flush=True)
    sys.stdin.readline()
    print("end", one.number, flush=True)
    return {"1": one.settings["model.width"] / 100}

trial.carry_out = carry_out
budget.size = lambda recipe, classes: Size(*[1000 * recipe.model.settings["width"]] * 4)
search(resolve.load(recipe), space_file.load(space), trials=20, out=out, limits=Limits(bytes=30_000))
"""


@pytest.mark.slow
def test_killed_workers_lose_no_trial_and_none_is_trained_twice(tiny, space, tmp_path):
    """A trial of these workers ends when a line is written to them."""

    def start():
        command = [sys.executable, "-c", WORKER, str(tiny), str(space), str(tmp_path / "out")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)

    def number(process, word="start"):
        return int(next(line for line in process.stdout if line.startswith(f"{word} ")).split()[1])

    def end(process):
        process.stdin.write("\n")
        process.stdin.flush()
        return number(process, "end")

    def kill(process):
        process.kill()
        process.communicate()

    first, second = start(), start()
    of_first, of_second = number(first), number(second)
    assert of_first != of_second
    finished = [end(second)]
    third = number(second)
    kill(first)
    finished.append(end(second))
    assert number(second) == of_first  # taken over
    kill(second)
    assert finished == [of_second, third]
    again = [start(), start()]
    for process in again:
        process.stdin.write("\n" * 20)
        process.stdin.close()
    lines = [line for process in again for line in process.stdout]
    assert [process.wait() for process in again] == [0, 0]
    started = sorted(int(line.split()[1]) for line in lines if line.startswith("start "))
    assert started == [one for one in range(6) if one not in finished]
    records = json.loads((tmp_path / "out/search.json").read_text())
    trials = [one for one in records["candidates"] if one["status"] != "refused"]
    assert [one["status"] for one in trials] == ["finished"] * 6
    assert trials[of_first]["starts"] == 3
