"""Trials of a search an hour by one process and by two, each with one thread.

Run:     python benchmarks/search.py [--trials 12] [--folder runs/search_benchmark] [--free]
Output:  seconds from the start of the first trial to the end of the last one, of both searches, and their ratio.
Needs:   Linux, and two processors that do nothing else.

Every process is bound to a processor of its own: with one thread for TensorFlow a lone process still reads and augments
its clips in a second thread, on the processor that another process would have. --free leaves the processes unbound.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SHORT = ["train.epochs=6", "dataset.train_clips=800", "dataset.test_clips=200", "data.validation_share=0.3"]


def command(out: Path, trials: int) -> list[str]:
    """The command of a search of the quickstart's teacher, which is trained without one itself."""
    settings = [word for text in SHORT for word in ("--set", text)]
    search = ["search", "quickstart_teacher", "width", "--trials", str(trials), "--out", str(out), "--threads", "1"]
    return [sys.executable, "-m", "asc_tf", *search, *settings, "--set", f"dataset.root={out.parent / 'made_up'}"]


def seconds(folder: Path, processes: int, trials: int, *, bound: bool) -> float:
    """Seconds that some processes need for a search, from the first line of a trial on.

    Args:
        folder: Folder of the benchmark; the search's is made anew.
        processes: How many start the same command.
        trials: Number of trials.
        bound: Whether each has a processor of its own.
    """
    out = folder / f"by_{processes}"
    shutil.rmtree(out, ignore_errors=True)
    started = []
    for processor in sorted(os.sched_getaffinity(0))[:processes]:
        process = subprocess.Popen(command(out, trials), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if bound:
            os.sched_setaffinity(process.pid, {processor})
        started.append(process)
    next(line for line in started[0].stdout if line.startswith("trial "))
    start_s = time.monotonic()
    for process in started:
        process.communicate()
    if any(process.returncode for process in started):
        raise SystemExit(f"{out}: a search ended with an error.")
    return time.monotonic() - start_s


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--folder", type=Path, default=Path("runs/search_benchmark"))
    parser.add_argument("--free", action="store_true")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    bound = not options.free
    seconds(folder, 1, 1, bound=bound)  # makes and prepares the data
    one, two = (seconds(folder, processes, options.trials, bound=bound) for processes in (1, 2))
    print(f"{options.trials} trials: one process {one:.0f} s, two {two:.0f} s, {one / two:.2f} times as fast")


if __name__ == "__main__":
    main()
