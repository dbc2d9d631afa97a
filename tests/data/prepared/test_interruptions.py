"""Preparing survives kills, Ctrl-C, a full disk and a second process."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from noise_clips import assert_prepared, file_names, prepare, write_noise

from asc_tf.runs.atomic import PART

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from noise_clips import *

if __name__ == "__main__":
    listing = noise_listing(Path({root!r}), range({files}))
    {before}
    prepare(listing, {out!r}, workers=2, quiet=False)
"""


@pytest.fixture(scope="module")
def long_listing(tmp_path_factory):
    """240 files, 30 shards, which take two workers a second."""
    return write_noise(tmp_path_factory.mktemp("noise") / "in", files=240, seconds=(2.0,), rate_hz=44100)


def program(tmp_path, listing, before="pass", text=PROGRAM):
    """Another Python that prepares the listing, in a new process group."""
    out = str(tmp_path / "out")
    names = {"tests": str(Path(__file__).parent), "root": str(listing.root), "files": len(listing.clips), "out": out}
    file = tmp_path / "program.py"
    file.write_text(text.format(**names, before=before))
    return subprocess.Popen(
        [sys.executable, file],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_shards(process, out, number=3):
    while process.poll() is None and len(list(out.glob("*/shard-*.json"))) < number:
        time.sleep(0.005)
    assert process.poll() is None, process.stderr.read()


def running(group):
    """Processes of a group that still run; those ended but not yet waited for do not count."""
    states = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            states.append(file.read_text().rpartition(")")[2].split()[:3])
    return [state for state, _, member_of in states if member_of == str(group) and state not in "ZX"]


def wait_for_end(group, seconds=20):
    end = time.monotonic() + seconds
    while running(group) and time.monotonic() < end:
        time.sleep(0.02)
    assert not running(group)


def test_after_a_kill_the_next_call_writes_only_what_is_missing(tmp_path, long_listing):
    process = program(tmp_path, long_listing)
    wait_for_shards(process, tmp_path / "out")
    process.kill()
    process.wait()
    process.stderr.close()
    wait_for_end(process.pid)
    (folder,) = (tmp_path / "out").iterdir()
    done = {file.name: file.stat().st_mtime_ns for file in folder.glob("shard-*.json")}
    assert 3 <= len(done) < 30 and "index.npz" not in file_names(folder)
    (folder / f"{PART}0123456789ab-shard-00001.npy").write_text("left by the kill")
    assert_prepared(prepare(long_listing, tmp_path / "out", workers=2), long_listing)
    assert {name: (folder / name).stat().st_mtime_ns for name in done} == done
    assert not [name for name in file_names(folder) if name.startswith(PART)]


def test_ctrl_c_ends_all_processes_and_leaves_complete_shards_only(tmp_path, long_listing):
    process = program(tmp_path, long_listing)
    wait_for_shards(process, tmp_path / "out")
    os.killpg(process.pid, signal.SIGINT)
    errors = process.communicate(timeout=20)[1]
    assert process.returncode in (-signal.SIGINT, 130)
    assert errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors
    wait_for_end(process.pid)
    names = file_names(tmp_path / "out")
    # The two workers write at the same time: which shards are complete depends on the moment.
    complete = [name for name in names if name.endswith(".json")]
    assert 3 <= len(complete) < 30 and "index.npz" not in names
    assert all(name.replace(".json", ".npy") in names for name in complete)
    assert not [name for name in names if name.startswith(PART)]


def test_a_script_without_main_guard_is_an_error_with_the_fix(tmp_path, long_listing):
    process = program(tmp_path, long_listing, text=PROGRAM.replace('if __name__ == "__main__":', "if True:"))
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "a script without `if __name__ == '__main__':`" in errors.splitlines()[-1]
    wait_for_end(process.pid)


def test_a_full_disk_is_an_error_and_leaves_no_file(tmp_path):
    listing = write_noise(tmp_path / "in", files=20)
    # No file may grow beyond 40 kB: the system refuses the write as it does on a full disk.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))"
    errors = program(tmp_path, listing, limit).communicate(timeout=60)[1]
    last = errors.strip().splitlines()[-1]
    assert "UserError" in last and f"{tmp_path}/out/" in last and "File too large" in last
    assert file_names(tmp_path / "out") == []
    assert_prepared(prepare(listing, tmp_path / "out"), listing)


def test_two_processes_may_prepare_at_the_same_time(tmp_path):
    listing = write_noise(tmp_path / "in", files=120)
    both = [program(tmp_path, listing) for _ in range(2)]
    assert [process.communicate(timeout=60)[1].count("Traceback") for process in both] == [0, 0]
    assert [process.returncode for process in both] == [0, 0]
    assert_prepared(prepare(listing, tmp_path / "out"), listing)
