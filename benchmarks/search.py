"""Trials of a search an hour by one process and by two, each with one thread.

Run:     python benchmarks/search.py [--trials 12] [--folder runs/search_benchmark]
Output:  seconds from the start of the first trial to the end of the last one, of both searches, and their ratio.
Needs:   two processors that do nothing else.
"""

import argparse
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


def seconds(folder: Path, processes: int, trials: int) -> float:
    """Seconds that some processes need for a search, from the first line of a trial on.

    Args:
        folder: Folder of the benchmark; the search's is made anew.
        processes: How many start the same command.
        trials: Number of trials.
    """
    out = folder / f"by_{processes}"
    shutil.rmtree(out, ignore_errors=True)
    started = [
        subprocess.Popen(command(out, trials), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(processes)
    ]
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
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    seconds(folder, 1, 1)  # makes and prepares the data
    one, two = (seconds(folder, processes, options.trials) for processes in (1, 2))
    print(f"{options.trials} trials: one process {one:.0f} s, two {two:.0f} s, {one / two:.2f} times as fast")


if __name__ == "__main__":
    main()
