"""Trial of a TFLite file in a process of its own: TFLite ends the process in which it runs some damaged files.

`python -m asc_tf.tflite.trial` reads a file from stdin and runs it once, with zeros.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from asc_tf.errors import UserError
from asc_tf.tflite import interpreter

LONGEST_S = 120  # of a trial; a network for a small device takes milliseconds
PACKAGES = str(Path(__file__).parents[2])  # where this package is found


def check(content: bytes, name: str | Path) -> None:
    """Runs a TFLite file that is not known to be one of this package's in a process of its own.

    Args:
        content: Bytes of the file.
        name: Its name in the error.

    Raises:
        UserError: TFLite cannot run it, or ends its process.
    """
    paths = os.pathsep.join(filter(None, (PACKAGES, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "asc_tf.tflite.trial"]
    try:
        done = subprocess.run(command, input=content, capture_output=True, env=environment, timeout=LONGEST_S)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{name}: TFLite needs more than {LONGEST_S} s for one clip; it is damaged.") from error
    if done.returncode < 0:
        ended = signal.Signals(-done.returncode).name
        raise UserError(f"{name}: is damaged: TFLite ends with {ended} on it. Export it again, or restore it.")
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise UserError(f"{name}: TFLite cannot run it: {lines[-1][:300]}. Export it again, or restore it.")


def run(content: bytes) -> None:
    """Runs a TFLite file once, with zeros.

    Args:
        content: Bytes of the file.

    Raises:
        ValueError: The file is no TFLite network.
        RuntimeError: An operation cannot be computed.
    """
    network = interpreter.create(content)
    for entry in network.get_input_details():
        network.set_tensor(entry["index"], np.zeros(entry["shape"], entry["dtype"]))
    network.invoke()
    for entry in network.get_output_details():
        network.get_tensor(entry["index"])


if __name__ == "__main__":
    try:
        run(sys.stdin.buffer.read())
    except (ValueError, RuntimeError, TypeError, MemoryError) as error:
        sys.exit(str(error).splitlines()[0] if str(error) else type(error).__name__)
