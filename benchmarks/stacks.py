"""Speed of two environments with different versions of TensorFlow: training step, front end, int8 latency, start.

Run:     python benchmarks/stacks.py PYTHON_NEW PYTHON_OLD [--rounds 5] [--seconds 2]
Output:  benchmarks/stacks.md: milliseconds of each environment and their ratio. The least of alternating rounds in
         processes of their own: what else the machine does lengthens some rounds, not the least one.
Needs:   two environments in which the project is installed:
         pip install -c requirements.lock -e .            and
         pip install -c requirements-tf2.17.lock -e '.[io]'
"""

import argparse
import functools
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_suffix(".md")
BATCH = 64


def functions() -> dict[str, Callable[[], Any]]:
    """{what: function without arguments that does it once}, of the quickstart's network and front end."""
    import keras
    import numpy as np
    from latency import forms
    from train_step import CLASSES, ours

    from asc_tf import build
    from asc_tf.recipe import resolve

    recipe, rng = resolve.load("quickstart"), np.random.default_rng(0)
    spectrograms = rng.standard_normal((BATCH, *build.input_shape(recipe)), "f")
    step = ours(recipe, spectrograms, np.eye(CLASSES, dtype="f")[rng.integers(CLASSES, size=BATCH)])
    segments = keras.ops.convert_to_tensor(rng.standard_normal((BATCH, recipe.feature.settings["sample_rate_hz"]), "f"))
    front_end = build.front_end(recipe)
    traced = functools.partial(_traced(front_end), segments)
    int8 = next(call for name, call in forms(threads=1).items() if "int8 TFLite" in name)
    return {
        f"training step, {BATCH} clips": functools.partial(step, BATCH),
        f"front end, {BATCH} clips": traced,
        "int8 file, one clip, one thread": int8,
    }


def _traced(layer):
    import tensorflow as tf

    traced = tf.function(layer)
    return lambda segments: traced(segments).numpy()


def measure(seconds: float) -> dict[str, Any]:
    """What the environment of this process has and takes.

    Args:
        seconds: Duration of each measurement.

    Returns:
        {"stack": versions, "ms": {what: milliseconds}}.
    """
    start = time.perf_counter()
    import tensorflow as tf

    imported_ms = 1000 * (time.perf_counter() - start)
    from latency import milliseconds

    least = {what: milliseconds(call, seconds, min) for what, call in functions().items()}
    stack = f"TensorFlow {tf.__version__}, Python {platform.python_version()}"
    return {"stack": stack, "ms": {"import tensorflow": imported_ms} | least}


def report(new: dict[str, Any], old: dict[str, Any]) -> str:
    """The text of stacks.md."""
    pairs = [(what, new["ms"][what], of_old) for what, of_old in old["ms"].items()]
    table = "\n".join(
        f"| {what} | {of_new:.2f} | {of_old:.2f} | {of_new / of_old:.2f} |" for what, of_new, of_old in pairs
    )
    return f"""# Two stacks side by side

Written by `python benchmarks/stacks.py`: least milliseconds of alternating rounds on one machine, and the ratio new to
old. The network and the front end are those of the quickstart.

| what | {new["stack"]} | {old["stack"]} | ratio |
|---|---|---|---|
{table}
"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="*", help="interpreters of the new and the old environment")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    options = parser.parse_args()
    if not options.pythons:  # in the process of one round
        print(json.dumps(measure(options.seconds)))
        return
    found = [{}, {}]
    for number in range(options.rounds):
        for least, python in zip(found, options.pythons, strict=True):
            command = [python, __file__, "--seconds", str(options.seconds)]
            result = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
            least.setdefault("stack", result["stack"])
            of_all = least.setdefault("ms", result["ms"])
            least["ms"] = {what: min(ms, of_all[what]) for what, ms in result["ms"].items()}
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    PAGE.write_text(report(*found), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
