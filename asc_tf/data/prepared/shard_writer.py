"""Decodes some audio files and writes them as one shard.

A shard is two files: shard-00012.npy, (segments, samples) int16, and shard-00012.json, a list with the number of
segments of each audio file, or the reason (text) why it has none. The second is written last: where it exists, the
shard is complete. Runs in worker processes: it imports neither TensorFlow nor Keras.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asc_tf.data import audio
from asc_tf.runs import atomic

HEADER_BYTES = 128


@dataclass(frozen=True, slots=True)
class ShardJob:
    """One shard to write.

    Args:
        number: Number of the shard, from 0.
        folder: Folder that the shard is written to.
        root: Folder of the audio files.
        files: Paths of the audio files below `root`.
        sample_rate_hz: Rate that the audio is resampled to.
        segment_s: Length of a segment in seconds.
    """

    number: int
    folder: Path
    root: Path
    files: tuple[str, ...]
    sample_rate_hz: int
    segment_s: float

    @property
    def samples(self) -> int:
        """Samples in a segment."""
        return round(self.sample_rate_hz * self.segment_s)

    @property
    def array_file(self) -> Path:
        """File of the samples."""
        return self.folder / shard_name(self.number)

    @property
    def record_file(self) -> Path:
        """File of the numbers of segments."""
        return self.array_file.with_suffix(".json")


def shard_name(number: int) -> str:
    """File name of the samples of the shard with a number."""
    return f"shard-{number:05d}.npy"


def write_shard(job: ShardJob) -> None:
    """Decodes, resamples, cuts and writes the files of a shard.

    Raises:
        OSError: Writing fails; the shard is not there then.
    """
    record = []
    atomic.write(job.array_file, lambda path: record.extend(_write_array(path, job)))
    atomic.write(job.record_file, json.dumps(record))


def read_record(job: ShardJob) -> list[int | str] | None:
    """Number of segments of each file of a shard, or the reason why it has none; None unless the shard is complete."""
    try:
        record = json.loads(job.record_file.read_text())
        size = job.array_file.stat().st_size
    except (OSError, ValueError):
        return None
    complete = len(record) == len(job.files) and size == HEADER_BYTES + 2 * _segments(record) * job.samples
    return record if complete else None


def _write_array(path, job):
    """Writes the samples of all files, one file in memory at a time; returns the record."""
    with open(path, "wb") as output:
        output.write(_header(0, job.samples))
        record = [_append(output, job, file) for file in job.files]
        output.seek(0)
        output.write(_header(_segments(record), job.samples))
    return record


def _append(output, job, file):
    try:
        samples, rate_hz = audio.read(f"{job.root}/{file}")
    except audio.UnreadableAudio as error:
        return error.reason
    segments = audio.cut(audio.resample(samples, rate_hz, job.sample_rate_hz), job.sample_rate_hz, job.segment_s)
    output.write(audio.to_int16(segments).tobytes())
    return len(segments)


def _segments(record):
    return sum(count for count in record if isinstance(count, int))


def _header(segments, samples):
    """The head of a .npy file; numpy pads it to HEADER_BYTES for numbers of any size."""
    output = io.BytesIO()
    description = {"descr": "<i2", "fortran_order": False, "shape": (segments, samples)}
    np.lib.format.write_array_header_1_0(output, description)
    return output.getvalue()
