"""Two workers on this machine, two devices of one process, and one: the same training, whoever is killed."""

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import one_of_several
import pytest

from asc_tf.errors import UserError
from asc_tf.models import cp_mobile
from asc_tf.runs import folder as run_folder
from asc_tf.train import main as train
from asc_tf.training import distribution as workers

ROOT = Path(__file__).parents[2]
# A strong decay would show if the biases, which are spared, were not known again.
STRONG = ["--distribute", "--set", "train.weight_decay=0.5", "--set", "train.learning_rate=1e-2"]


def started(program, own=(), config=None):
    """The train program as its own process; config: its TF_CONFIG."""
    command = [sys.executable, "tests/training/one_of_several.py", *map(str, own), "--", *map(str, program)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"TF_CONFIG": json.dumps(config)} if config else {})
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=environment)


def ended(process):
    """(status, stdout, stderr) of a process."""
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def team_of_two(program, own=((), ())):
    """[(status, stdout, stderr)] of two workers that train together."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    cluster = {"worker": [f"localhost:{each.getsockname()[1]}" for each in sockets]}
    for each in sockets:
        each.close()
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    team = [started(program, own[t["index"]], {"cluster": cluster, "task": t}) for t in tasks]
    try:
        return [ended(process) for process in team]
    finally:
        for process in team:
            process.kill()


def losses(run):
    with open(run / "log.csv") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def state(run):
    arrays = run_folder.load(run).read("state.npz")
    return [arrays[key] for key in sorted(arrays) if key.startswith("variable")]


@pytest.fixture(scope="module")
def recipes(tiny_in, tmp_path_factory):
    """The folder of a student's recipe and its teacher's, of few epochs and nothing drawn.

    Draws on spectrograms are each worker's own, and those on waves are a chunk's, which small batches make smaller.
    """
    folder = tmp_path_factory.mktemp("several")
    tiny_in(folder)
    shorter = {"epochs = 16": "epochs = 4", "batch_size = 16": "batch_size = 32", "_rate = 1e-2": "_rate = 1e-3"}
    for file in folder.glob("*.toml"):
        text = re.sub(r"\[\[augmentation\]\].*(?=\[model\])", "", file.read_text(), flags=re.DOTALL)
        for old, new in shorter.items():
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)
    return folder


def here(program, *, norm):
    """The train program in this process, with the network of one_of_several; its status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cp_mobile, "build", one_of_several.small_network(cp_mobile.build, norm=norm))
        return train([str(argument) for argument in program])


@pytest.fixture(scope="module")
def alone(recipes):
    """A run, without batch norm, of this process alone."""
    assert here([recipes / "tiny_teacher.toml", "--out", recipes / "alone", *STRONG], norm=False) == 0
    return recipes / "alone"


@pytest.fixture(scope="module")
def two_workers(recipes, alone):
    """The same run by two workers.  The second may not write, though the chief had prepared the clips already."""
    program = [recipes / "tiny_teacher.toml", "--out", recipes / "two", *STRONG]
    team = team_of_two(program, ([], ["--no-writes", recipes]))
    (status, told, errors), (other_status, other_told, other_errors) = team
    assert status == 0, errors
    assert other_status == 0, other_errors
    assert "2 workers" in told and "epoch   4/4" in told and "macro accuracy" in told
    assert not other_told
    assert len(list((recipes / "two/tensorboard/train").iterdir())) == 1
    return recipes / "two"


@pytest.mark.slow
def test_two_workers_train_as_one(alone, two_workers):
    np.testing.assert_allclose(losses(two_workers), losses(alone), rtol=0, atol=1e-5)
    for one, other in zip(state(two_workers), state(alone), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)
    assert losses(alone)[-1] < losses(alone)[0] - 0.1


@pytest.mark.slow
def test_two_devices_train_as_one(recipes, alone):
    program = [recipes / "tiny_teacher.toml", "--out", recipes / "devices", *STRONG]
    status, told, errors = ended(started(program, ["--devices", 2]))
    assert status == 0 and "2 devices share" in told, errors
    np.testing.assert_allclose(losses(recipes / "devices"), losses(alone), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_lost_worker_ends_the_others_and_the_run_goes_on(recipes, two_workers):
    program = [recipes / "tiny_teacher.toml", "--out", recipes / "lost", *STRONG]
    chief, other = team_of_two(program, ([], ["--die-in-epoch", 2]))
    assert other[0] == -signal.SIGKILL and chief[0] == 2
    (line,) = [line for line in chief[2].splitlines() if line.startswith("train: ")]
    assert "worker 1 (localhost:" in line and "was lost" in line and "--resume" in line
    assert len(losses(recipes / "lost")) == 2

    for status, _, errors in team_of_two([*program, "--resume"]):
        assert status == 0, errors
    for one, other in zip(state(recipes / "lost"), state(two_workers), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_two_workers_go_the_whole_way(recipes):
    """Teacher, student and int8 file, with batch norm, which every worker computes of its own clips."""
    program = [recipes / "tiny.toml", "--out", recipes / "whole/student", "--set", "train.epochs=2", "--distribute"]
    for status, _, errors in team_of_two(program, (["--norm"], ["--norm"])):
        assert status == 0, errors
    assert set(json.loads((recipes / "whole/student/metrics.json").read_text())) == {"float", "int8"}
    (teacher,) = (recipes / "whole").glob("tiny_teacher-1-*")
    assert here([recipes / "tiny_teacher.toml", "--out", recipes / "normed"], norm=True) == 0
    np.testing.assert_allclose(losses(teacher), losses(recipes / "normed"), rtol=0, atol=1e-2)


@pytest.mark.parametrize(
    ("config", "told"),
    [("{worker:0}", "is not JSON"), ('{"task": {"type": "worker", "index": 0}}', "'cluster' is missing")],
)
def test_a_wrong_tf_config_is_told_before_anything(tiny, tmp_path, monkeypatch, capsys, config, told):
    monkeypatch.setenv("TF_CONFIG", config)
    assert train([str(tiny), "--out", str(tmp_path / "run"), "--distribute"]) == 2
    message = capsys.readouterr().err
    assert told in message and message.startswith("train: TF_CONFIG: ") and len(message.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_batch_that_cannot_be_shared_is_refused():
    team = workers.Distribution(SimpleNamespace(num_replicas_in_sync=3))
    recipe = SimpleNamespace(file="some.toml", train=SimpleNamespace(batch_size=16))
    with pytest.raises(UserError, match=r"some.toml: train.batch_size = 16 is shared by 3 devices"):
        team.check(recipe)


def team(worker, failed, monkeypatch):
    """One of two workers, of whom those `failed` have told a mistake."""
    monkeypatch.setattr(workers.Distribution, "_failed", lambda self, failure: failed)
    return workers.Distribution(None, worker, {"worker:0": "a:1", "worker:1": "b:2"})


def test_the_mistake_of_one_ends_all(monkeypatch):
    def wrong():
        raise UserError("mine")

    with pytest.raises(UserError, match="mine"):
        team(0, [0], monkeypatch).on_chief(wrong)
    with pytest.raises(UserError, match=r"worker 0 \(a:1\) has stopped"):
        team(1, [0], monkeypatch).on_chief(wrong)
    assert team(0, [], monkeypatch).on_chief(lambda: "chief", then=wrong) == "chief"
    assert team(1, [], monkeypatch).on_chief(wrong, then=lambda: "other") == "other"


@pytest.mark.parametrize(
    ("message", "who"),
    [
        # As TensorFlow 2.17 says it: of a heartbeat that the chief missed, and of a connection that broke.
        (
            "{{function_node __wrapped__CollectiveReduceV2_device_/job:worker/replica:0/task:0/device:CPU:0}} Error "
            "reported from /job:worker/task:1: Task /job:worker/replica:0/task:1 heartbeat timeout.",
            r"worker 1 \(b:2\) was lost",
        ),
        ("Collective ops is aborted by: Socket closed", "another worker was lost"),
    ],
)
def test_who_was_lost_is_told(monkeypatch, message, who):
    import tensorflow as tf

    with pytest.raises(UserError, match=rf"^{who}.*--resume\.$"), team(0, [], monkeypatch).running():
        raise tf.errors.UnavailableError(None, None, message)
