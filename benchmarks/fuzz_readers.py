"""Random damage to recipes, tables, audio files and checkpoints: each ends in a result or in a UserError.

Run:     python benchmarks/fuzz_readers.py [--minutes 10] [--only audio] [--folder runs/fuzz]
Output:  for each reader the inputs that were read, those that ended in a UserError, those with another exception, the
         processes that died or took more than 30 s of CPU time for one input, and the resident memory at most.
Needs:   this checkout: the inputs are damaged copies of those of its tests, and of the shipped recipes.

Every reader runs in a process of its own, the four in turn. An input that ends badly is kept in the folder. The status
is 1 if there is one.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_BYTES, MOST_SECONDS = 6 << 30, 30.0
INPUT = "input.toml"  # recipes are files of this ending
NUMBERS = (0, 1, 127, 128, 255)
TABLES = (
    b"filename,scene_label,identifier\na/b.wav,bus,city-1\nc.wav,tram,city-2\n",
    'filename;Fold;label\r\n"a;b.wav";1;"bus"\r\nc.wav;2;tram\r\n'.encode("utf-16"),
    b"\xef\xbb\xbffilename\tlabel\nx.wav\tpark\n\ny.wav\t\xc3\xa9\n",
)


def recipes(folder: Path) -> tuple[list[bytes], Callable]:
    """Inputs, and the function that reads a file of them; as of the other readers."""
    from asc_tf.recipe import resolve

    return [file.read_bytes() for file in sorted((ROOT / "asc_tf/recipes").glob("*.toml"))], resolve.load


def tables(folder: Path) -> tuple[list[bytes], Callable]:
    """As `recipes`."""
    from asc_tf.data.datasets import csv_table

    return list(TABLES), lambda file: csv_table.read_table(file, ["filename", "label"], optional=["fold"])


def audio(folder: Path) -> tuple[list[bytes], Callable]:
    """As `recipes`."""
    sys.path[:0] = [str(ROOT / "tests/data/containers")]
    import test_any_audio

    from asc_tf.data import audio

    def read(file):
        with audio.Recording(file) as recording:
            for _ in recording.segments(8000, 1.0):
                pass

    return test_any_audio.examples(), read


def checkpoints(folder: Path) -> tuple[list[bytes], Callable]:
    """As `recipes`."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/checkpoints")]
    import test_any_bytes

    from asc_tf.checkpoints import files, state_dict

    def read(file):
        with files.as_user_error(file):
            for tensor in state_dict.tensors(files.load(file), file).values():
                if tensor.shape and max(tensor.shape) < 10_000 and len(tensor.shape) < 3:
                    tensor.values()

    return test_any_bytes.examples(folder), read


READERS = {"recipe": recipes, "table": tables, "audio": audio, "checkpoint": checkpoints}


def damaged(rng: random.Random, contents: list[bytes]) -> bytes:
    """A copy of one of the contents with up to eight changes: bytes, numbers, parts left out, repeated or mixed."""
    content = bytearray(rng.choice(contents))
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        size = max(1, len(content))
        at = rng.choice((rng.randrange(size), min(size - 1, rng.randrange(128))))
        length = min(size, rng.choice((1, 2, 4, 8, 64, 1024)))
        kind = rng.randrange(7)
        if kind == 0:
            content[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            value = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, size, rng.getrandbits(32)))
            content[at : at + 4] = value.to_bytes(4, rng.choice(("little", "big")))
        elif kind == 2:
            del content[at : at + length]
        elif kind == 3:
            content[at:at] = content[at : at + length] * rng.choice((1, 2, 50))
        elif kind == 4:
            content[at : at + length] = bytes([rng.choice(NUMBERS)]) * length
        elif kind == 5:
            other = rng.choice(contents)
            start = rng.randrange(max(1, len(other)))
            content[at:at] = other[start : start + length]
        else:
            del content[at:]
    return bytes(content[: 1 << 20])


def work(name: str, folder: Path, seed: int, seconds: float) -> None:
    """Reads damaged inputs for some time; writes the counts after each second."""
    from asc_tf.errors import UserError

    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    contents, read = READERS[name](folder)
    rng, counts, file = random.Random(seed), Counter(), folder / INPUT
    (folder / f"first-{INPUT}").write_bytes(contents[0])
    with contextlib.suppress(UserError):
        read(folder / f"first-{INPUT}")  # what this imports is no part of the time of an input
    end = written = time.monotonic()
    end += seconds
    while (now := time.monotonic()) < end:
        file.write_bytes(damaged(rng, contents))
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)  # of CPU time; then the system ends the process
        try:
            read(file)
            counts["read"] += 1
        except UserError:
            counts["UserError"] += 1
        except Exception as error:
            kind = type(error).__name__
            counts[kind] += 1
            if counts[kind] <= 5:
                (folder / f"{kind}-{seed}-{counts[kind]}").write_bytes(file.read_bytes())
        if now > written + 1:
            written = now
            _write(folder, seed, counts)
    _write(folder, seed, counts)


def _write(folder, seed, counts):
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    (folder / f"counts-{seed}.json").write_text(json.dumps({"counts": counts, "mb": most}))


def fuzz(name: str, folder: Path, seconds: float) -> bool:
    """Runs the process of a reader, anew where it dies; prints the counts.

    Returns:
        Whether every input ended in a result or in a UserError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    end, seed, deaths = time.monotonic() + seconds, 0, Counter()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    while (left := end - time.monotonic()) > 0:
        seed += 1
        command = [sys.executable, __file__, "--work", name, "--folder", str(folder), "--seed", str(seed)]
        (folder / INPUT).unlink(missing_ok=True)
        with open(folder / "messages", "ab") as messages:
            process = subprocess.run(
                [*command, "--minutes", str(left / 60)], env=environment, stdout=messages, stderr=messages
            )
        if status := process.returncode:
            deaths["longer than 30 s" if status == -signal.SIGPROF else f"died with status {status}"] += 1
            if (folder / INPUT).exists():
                (folder / INPUT).rename(folder / f"death-{seed}")
            if not (folder / f"counts-{seed}.json").exists():
                break  # it never began
    found = [json.loads(file.read_text()) for file in folder.glob("counts-*.json")]
    counts = sum((Counter(one["counts"]) for one in found), Counter()) + deaths
    print(f"{name}: {dict(counts)}, {max((one['mb'] for one in found), default=0)} MB at most", flush=True)
    return bool(counts) and set(counts) <= {"read", "UserError"}


def main() -> int:
    """Runs the program; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="for each reader (default: 10)")
    parser.add_argument("--only", choices=READERS, help="one reader")
    parser.add_argument("--folder", type=Path, default=Path("runs/fuzz"), help="where bad inputs are kept")
    parser.add_argument("--work", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.folder, options.seed, 60 * options.minutes)
        return 0
    names = [options.only] if options.only else list(READERS)
    return int(not all([fuzz(name, options.folder / name, 60 * options.minutes) for name in names]))


if __name__ == "__main__":
    sys.exit(main())
