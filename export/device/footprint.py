"""How long does one clip take, and how much memory, on this computer?

Measured in a process of its own: `python -m export.device.footprint RUN FORM THREADS` prints one line of JSON.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

WARM_UP, TIMED = 10, 100
WHAT_TO_EXPECT = [
    "Times are of this computer. On x86 processors without VNNI int8 is slower than float TFLite; it pays on Arm,",
    "microcontrollers and accelerators for int8. Memory: what loading the form and calling it added to a process.",
]


def costs(run, form):
    """{"bytes", "latency_ms": {"1", "2"} by threads, "memory_bytes"} of a form, see `measure`."""
    found = {threads: measure(run, form, threads) for threads in (1, 2)}
    file = run.path / ("weights/best.weights.h5" if form == "float" else form)
    return {
        "bytes": file.stat().st_size,
        "latency_ms": {str(threads): one["latency_ms"] for threads, one in found.items()},
        "memory_bytes": found[1]["memory_bytes"],
    }


def measure(run, form, threads):
    """{"latency_ms": the median of 100 calls with one clip, "memory_bytes": what loading and calling added}.

    form: "float" for the Keras network, or a TFLite file in the run.
    """
    command = [sys.executable, "-m", "export.device.footprint", str(Path(run.path).resolve()), form, str(threads)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return json.loads(answer.stdout.splitlines()[-1])


def _measured(path, form, threads):
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    before = _resident_bytes()
    network, shape = _loaded(path, form, threads)
    clip = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    times = []
    for _ in range(WARM_UP + TIMED):
        start = time.perf_counter()
        network(clip)
        times.append(time.perf_counter() - start)
    latency_ms = 1000 * float(np.median(times[WARM_UP:]))
    return {"latency_ms": latency_ms, "memory_bytes": _resident_bytes() - before}


def _loaded(path, form, threads):
    from asc_tf import build
    from asc_tf.runs import folder as run_folder
    from asc_tf.tflite import file as tflite_file
    from asc_tf.training import callbacks as epochs

    run = run_folder.load(path)
    if form == "float":
        network = epochs.load_best(run, build.network(run.recipe, len(run.labels)))
        return build.forward(network), network.input_shape[1:]
    file = tflite_file.TFLiteModel(run.path / form, threads=threads)
    return file, file.input_shape


def _resident_bytes():
    """Of this process now; the most it ever had would be what importing TensorFlow took for a moment."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
