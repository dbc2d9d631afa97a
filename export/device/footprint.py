"""Latency and memory of one clip on this computer.

Measured in a process of its own: `python -m asc_tf.export.device.footprint RUN FORM THREADS` prints one line of JSON.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import load_run
from asc_tf.runs import layout, products
from asc_tf.tflite.file import TFLiteModel

FILES = {
    "float": layout.BEST_WEIGHTS,
    "tflite": layout.INT8,
    "float16_tflite": layout.FLOAT16,
    "wave_tflite": layout.WAVE,
}  # form of a run -> the file that holds it
WARM_UP, TIMED = 10, 100
NOTES = [
    "Times are of this computer. On x86 processors without VNNI int8 is slower than float TFLite; it pays on Arm,",
    "microcontrollers and accelerators for int8. Memory: what loading the form and calling it added to a process.",
]


def costs(run: TrainedRun, form: str) -> dict[str, Any]:
    """Size, latency and memory of a form of a run.

    Args:
        run: The run.
        form: A key of FILES.

    Returns:
        {"bytes" of its file, "latency_ms": {"1", "2"} by number of threads, "memory_bytes"}, see `measure`.
    """
    results = {threads: measure(run.path, form, threads) for threads in (1, 2)}
    return {
        "bytes": (run.path / FILES[form]).stat().st_size,
        "latency_ms": {str(threads): result["latency_ms"] for threads, result in results.items()},
        "memory_bytes": results[1]["memory_bytes"],
    }


def measure(path: Path, form: str, threads: int) -> dict[str, float]:
    """Latency and memory of a form, measured in a process of its own.

    Args:
        path: Folder of the run.
        form: A key of FILES.
        threads: Number of threads.

    Returns:
        {"latency_ms": the median of 100 calls with one clip, "memory_bytes": what loading and calling added}.
    """
    command = [sys.executable, "-m", "asc_tf.export.device.footprint", str(path.resolve()), form, str(threads)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return json.loads(output.stdout.splitlines()[-1])


def _measure_here(path, form, threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    before = _resident_bytes()
    network, shape = _load(path, form, threads)
    clip = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    times = []
    for _ in range(WARM_UP + TIMED):
        start = time.perf_counter()
        network(clip)
        times.append(time.perf_counter() - start)
    latency_ms = 1000 * float(np.median(times[WARM_UP:]))
    return {"latency_ms": latency_ms, "memory_bytes": _resident_bytes() - before}


def _load(path, form, threads):
    run = load_run(path)
    if form == "float":
        return run.form("float"), run.network.input_shape[1:]
    file = TFLiteModel(products.read(run.folder, FILES[form]), threads=threads)
    return file, file.input_shape


def _resident_bytes():
    """Memory of this process now; its maximum would be what importing TensorFlow takes for a moment."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(json.dumps(_measure_here(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
