"""times.json: seconds and memory of the phases of a run."""

from types import SimpleNamespace

import numpy as np
import pytest

from asc_tf.runs import times
from asc_tf.runs.folder import RunFolder


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run", None)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets, and a memory whose peaks it names."""
    clock = SimpleNamespace(seconds=0.0, peaks=[])
    monkeypatch.setattr(times, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    monkeypatch.setattr(times, "reset_peak_memory", lambda: None)
    monkeypatch.setattr(times, "peak_memory_bytes", lambda: clock.peaks.pop(0))
    return clock


def take(run, clock, name, seconds, peak):
    clock.peaks.append(peak)
    with times.phase(run, name):
        clock.seconds += seconds


def test_a_phase_has_its_seconds_and_its_peak(run, clock):
    assert times.read(run) == {}
    take(run, clock, "data", 2.5, 100)
    take(run, clock, "training", 40.0, 300)
    expected = {"data": (2.5, 100), "training": (40.0, 300)}
    assert times.read(run) == run.read("times.json")
    assert {name: (one["seconds"], one["peak_memory_bytes"]) for name, one in times.read(run).items()} == expected


def test_a_phase_that_comes_again_adds_its_seconds(run, clock):
    take(run, clock, "data", 2.0, 300)
    take(run, clock, "data", 0.5, 100)
    assert times.read(run) == {"data": {"seconds": 2.5, "peak_memory_bytes": 300}}


def test_a_phase_that_is_interrupted_adds_nothing(run, clock):
    with pytest.raises(KeyboardInterrupt), times.phase(run, "training"):
        clock.seconds += 100
        raise KeyboardInterrupt
    assert times.read(run) == {}


def test_the_table_has_a_line_for_each_run_that_has_times(tmp_path, clock):
    one, other, none = (RunFolder(tmp_path / name, None) for name in ("one", "other", "none"))
    assert times.table([none]) == ""
    take(one, clock, "data", 1.0, 0)
    take(other, clock, "data", 2.0, 4_200_000_000)
    take(other, clock, "training", 1500.25, 1_000_000_000)
    head, *lines = times.table([one, none, other]).splitlines()
    assert head.split() == ["seconds", "of", "data", "training", "all", "peak", "memory"]
    assert [line.split() for line in lines] == [
        ["one", "1.0", "1.0", "unknown"],
        ["other", "2.0", "1,500.2", "1,502.2", "4.2", "GB"],
    ]
    assert len({len(line) for line in (head, *lines)}) == 1


def test_the_peak_is_that_of_the_phase(run):
    if not times.peak_memory_bytes():
        pytest.skip("this system does not tell a process's peak of memory")
    megabytes = 300
    with times.phase(run, "large"):
        np.ones(megabytes * 2**17).sum()
    with times.phase(run, "small"):
        pass
    large, small = (times.read(run)[name]["peak_memory_bytes"] for name in ("large", "small"))
    assert large - small > 0.8 * megabytes * 2**20 and small <= times.machine_bytes()
