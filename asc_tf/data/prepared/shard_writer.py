"""How do some audio files become one shard, whole or not at all?

Runs in worker processes: it imports neither TensorFlow nor Keras.
A shard is two files: shard-00012.npy, (segments, samples) int16, and shard-00012.json, which states for
each of its files the number of segments, or the reason why it has none. The second is written last: where
it exists, the shard is whole.
"""

import contextlib
import json
import multiprocessing.connection
import os
import secrets
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asc_tf.data import audio

UNFINISHED = ".part"
HEADER_BYTES = 128


@dataclass(frozen=True, slots=True)
class Job:
    """One shard to write: its number, its folder, its files below `root`."""

    number: int
    folder: Path
    root: Path
    files: tuple[str, ...]
    sample_rate_hz: int
    segment_s: float

    @property
    def samples(self):
        return round(self.sample_rate_hz * self.segment_s)

    @property
    def array(self):
        return self.folder / shard_name(self.number)

    @property
    def record(self):
        return self.array.with_suffix(".json")


def shard_name(number):
    return f"shard-{number:05d}.npy"


def write(job):
    """Decodes, resamples, cuts and writes; returns the job's number.  OSError where writing fails."""
    found = []
    with whole_file(job.array) as out:
        out.write(_header(0, job.samples))
        for file in job.files:
            found.append(_append(job, file, out))
        out.seek(0)
        out.write(_header(sum(n for n in found if isinstance(n, int)), job.samples))
    with whole_file(job.record) as out:
        out.write(json.dumps(found).encode())
    return job.number


def recorded(job):
    """The number of segments of each file, or the reason (text) why it has none; None unless the shard is whole."""
    try:
        found = json.loads(job.record.read_text())
        size = job.array.stat().st_size
    except (OSError, ValueError):
        return None
    segments = sum(n for n in found if isinstance(n, int))
    whole = len(found) == len(job.files) and size == HEADER_BYTES + 2 * segments * job.samples
    return found if whole else None


@contextlib.contextmanager
def whole_file(path):
    """A file to write that appears under its name when it is complete; else nothing is left behind."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{UNFINISHED}")
    try:
        with open(unfinished, "wb") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def start_worker(lifeline):
    """Makes a worker deaf to Ctrl-C and lets it die with its parent, however the parent dies.

    lifeline: the reading end of a pipe whose writing end the parent holds.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()


def _die_with(lifeline):
    multiprocessing.connection.wait([lifeline])
    os._exit(1)


def _append(job, file, out):
    try:
        samples, rate_hz = audio.read(f"{job.root}/{file}")
    except audio.Unreadable as error:
        return error.reason
    pieces = audio.cut(audio.resample(samples, rate_hz, job.sample_rate_hz), job.sample_rate_hz, job.segment_s)
    out.write(audio.to_int16(pieces).tobytes())
    return len(pieces)


def _header(segments, samples):
    """The head of a .npy file, HEADER_BYTES long whatever the numbers: numpy pads it."""
    description = {"descr": "<i2", "fortran_order": False, "shape": (segments, samples)}
    stream = _Bytes()
    np.lib.format.write_array_header_1_0(stream, description)
    return bytes(stream)


class _Bytes(bytearray):
    """What numpy writes a header to."""

    write = bytearray.extend
