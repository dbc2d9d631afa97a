import os
import subprocess
import sys
from pathlib import Path

import pytest

from asc_tf.data import _compat
from asc_tf.data.lock import locked, remove_unfinished

PROGRAM = """
import sys
from pathlib import Path
from asc_tf.data.lock import locked

with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holders(tmp_path):
    """Starts processes that lock a path until they are killed."""
    processes = []

    def start(path):
        command = [sys.executable, "-c", PROGRAM, str(path)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        processes.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["folder", "file.lock"])
def test_a_second_process_waits_until_the_first_is_killed(tmp_path, holders, name):
    path = tmp_path / name
    path.mkdir() if name == "folder" else path.touch()
    first = holders(path)
    assert first.stdout.readline() == "locked\n"
    second = holders(path)
    assert second.stderr.readline() == f"waiting for another run that works on {path}\n"
    first.kill()
    assert second.stdout.readline() == "locked\n"


def test_a_worker_that_runs_its_parents_script_does_not_wait(tmp_path, holders, monkeypatch):
    assert holders(tmp_path).stdout.readline() == "locked\n"
    monkeypatch.setattr(_compat, "worker_is_importing_main", lambda: True)
    with pytest.raises(RuntimeError, match="must not wait for a lock that its parent holds"), locked(tmp_path):
        pass


def test_the_lock_is_released_after_an_exception(tmp_path, capfd):
    with pytest.raises(ValueError), locked(tmp_path):
        raise ValueError
    with locked(tmp_path):
        pass
    assert capfd.readouterr().err == ""


def test_an_absent_path_is_an_os_error(tmp_path):
    with pytest.raises(OSError), locked(tmp_path / "absent"):
        pass


def test_unfinished_files_are_removed_unless_another_process_works_there(tmp_path):
    unfinished = tmp_path / ".part-0123456789ab-metrics.json"
    unfinished.touch()
    with locked(tmp_path):
        remove_unfinished(tmp_path)
        assert unfinished.exists()
    remove_unfinished(tmp_path)
    assert not unfinished.exists()
