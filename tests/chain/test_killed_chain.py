"""A chain of several stages that is killed three times ends as one that never was, by the same command."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asc_tf.runs import folder as run_folder
from asc_tf.train import main as train

pytestmark = [pytest.mark.slow, pytest.mark.long]
ROOT = Path(__file__).parents[2]
CHAIN = """
[init]
recipe = "split"
same_data = true
keep_head = true
[[teacher]]
recipe = "tiny_teacher"
runs = 2
ensemble = "bayesian"
[distill]
temperature = 2.0
label_weight = 0.1
form = "cpjku2023"
"""
SHORT = ["--set", "*:train.epochs=3"]
KILLS = ("init  epoch   2/3", "teacher  epoch   1/3", "student  epoch   2/3")


@pytest.fixture
def chain(tiny):
    """A recipe with an earlier stage and two teachers, as jku2024 has them."""
    text = (tiny.parent / "tiny_teacher.toml").read_text()
    (tiny.parent / "split.toml").write_text(text)
    (tiny.parent / "chain.toml").write_text(text + CHAIN)
    return tiny.parent / "chain.toml"


def killed_after(line, command):
    """Runs a command until a line of its output holds `line`, then kills it; returns its output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    seen = []
    for text in process.stdout:
        seen.append(text)
        if line in text:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, seen
    return "".join(seen)


def state(run):
    return run_folder.load(run).read("state.npz")


def test_killed_three_times_and_resumed_by_the_same_command(chain, tmp_path, capsys):
    assert train([str(chain), "--out", str(tmp_path / "whole/student"), *SHORT]) == 0
    arguments = [str(chain), "--out", str(tmp_path / "killed/student"), "--resume", *SHORT]
    for line in KILLS:
        killed_after(line, [sys.executable, "-m", "asc_tf.train", *arguments])
    capsys.readouterr()
    assert train(arguments) == 0
    shown = capsys.readouterr().out
    assert "init  epoch" not in shown and "teacher  epoch" not in shown
    assert "student  goes on after epoch 2" in shown and "finished, reused" in shown
    runs = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert runs == sorted(path.name for path in (tmp_path / "killed").iterdir()) and len(runs) == 4
    for name in runs:
        one, other = (state(tmp_path / folder / name) for folder in ("whole", "killed"))
        for key in (key for key in one if key.startswith("var")):
            np.testing.assert_array_equal(one[key], other[key], err_msg=f"{name} {key}")
