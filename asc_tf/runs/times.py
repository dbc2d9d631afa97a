"""Seconds and memory that the phases of a run took, in its times.json."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # to /proc/self/clear_refs: the peak of the resident memory starts anew (proc(5))


@contextlib.contextmanager
def phase(run: RunFolder, name: str) -> Iterator[None]:
    """Context of a phase of a run; adds its seconds, and its peak memory where that is known, to times.json.

    A phase that is interrupted adds nothing, so that a run that was resumed has the seconds of its last start.

    Args:
        run: The run.
        name: Name of the phase.
    """
    start_s = time.monotonic()
    reset_peak_memory()
    yield
    seconds, peak = time.monotonic() - start_s, peak_memory_bytes()
    known = read(run)
    before = known.get(name, {"seconds": 0.0, "peak_memory_bytes": 0})
    known[name] = {
        "seconds": before["seconds"] + seconds,
        "peak_memory_bytes": max(before["peak_memory_bytes"], peak),
    }
    run.write_json(layout.TIMES, known)


def read(run: RunFolder) -> dict[str, dict[str, float]]:
    """{"seconds", "peak_memory_bytes"} of the phases of a run by name; empty where none has ended."""
    return run.read(layout.TIMES) if run.has(layout.TIMES) else {}


def table(runs: Sequence[RunFolder]) -> str:
    """Times of runs as text, a line for each: seconds of every phase, of all, and the largest peak of memory.

    Args:
        runs: The runs; those without times are left out.
    """
    known = {run.path.name: read(run) for run in runs}
    names = list(dict.fromkeys(name for phases in known.values() for name in phases))
    lines = [_line("seconds of", [*names, "all", "peak memory"])]
    for run, phases in known.items():
        if not phases:
            continue
        seconds = [phases[name]["seconds"] if name in phases else None for name in names]
        cells = ["" if value is None else f"{value:,.1f}" for value in [*seconds, sum(filter(None, seconds))]]
        peak = max(phase["peak_memory_bytes"] for phase in phases.values())
        lines.append(_line(run, [*cells, f"{peak / 1e9:.1f} GB" if peak else "unknown"]))
    return "\n".join(lines) if len(lines) > 1 else ""


def _line(title, cells):
    return f"{title:44s}" + "".join(f"{cell:>13s}" for cell in cells)


def reset_peak_memory() -> None:
    """Lets `peak_memory_bytes` start from the present memory, where the system can do that (Linux)."""
    with contextlib.suppress(OSError):
        CLEAR.write_text(RESET_PEAK)


def peak_memory_bytes() -> int:
    """Peak of this process's resident memory since `reset_peak_memory`; 0 where it is not known."""
    return _bytes(STATUS, "VmHWM")


def machine_bytes() -> int:
    """Memory of this machine; 0 where it is not known."""
    return _bytes(Path("/proc/meminfo"), "MemTotal")


def _bytes(file, key):
    """A line `key: N kB` of a file of the system, in bytes; 0 where there is none."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), 0)
