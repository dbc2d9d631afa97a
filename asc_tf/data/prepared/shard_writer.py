"""Decodes some audio files and writes them as one shard.

A shard is two files: shard-00012.npy, (segments, samples) int16, and shard-00012.json, a list of [segments, notes] of
each audio file. The second is written last: where it exists, the shard is complete. Runs in worker processes: it
imports neither TensorFlow nor Keras.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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


class FileRecord(NamedTuple):
    """What a shard has of an audio file.

    Args:
        segments: Number of its segments; 0 where it cannot be read.
        notes: What was mended or is unusual; of a file that cannot be read the reason alone.
    """

    segments: int
    notes: list[str]


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


def read_record(job: ShardJob) -> list[FileRecord] | None:
    """The record of each file of a shard; None unless the shard is complete."""
    try:
        record = [FileRecord(int(segments), list(notes)) for segments, notes in json.loads(job.record_file.read_text())]
        size = job.array_file.stat().st_size
    except (OSError, ValueError, TypeError):
        return None
    complete = len(record) == len(job.files) and size == HEADER_BYTES + 2 * _segments(record) * job.samples
    return record if complete else None


def _write_array(path, job):
    """Writes the samples of all files block by block; returns the record."""
    with open(path, "wb") as output:
        output.write(_header(0, job.samples))
        record = [_append(output, job, file) for file in job.files]
        output.seek(0)
        output.write(_header(_segments(record), job.samples))
    return record


def _append(output, job, file):
    start, segments, notes = output.tell(), 0, []
    try:
        for some in _segments_of(job, file, notes):
            output.write(some.tobytes())
            segments += len(some)
    except audio.UnreadableAudio as error:
        output.seek(start)
        output.truncate()
        return FileRecord(0, [error.reason])
    return FileRecord(segments, notes)


def _segments_of(job, file, notes):
    """The segments of a file, some at a time, as int16.  Raises UnreadableAudio whatever is wrong with the file."""
    path = f"{job.root}/{file}"
    try:
        with audio.Recording(path) as recording:
            for segments in recording.segments(job.sample_rate_hz, job.segment_s):
                yield audio.to_int16(segments)
            notes += recording.notes
    except audio.UnreadableAudio:
        raise
    except Exception as error:  # one file never stops the others
        raise audio.UnreadableAudio(path, f"cannot be read ({type(error).__name__}: {error})") from error


def _segments(record):
    return sum(one.segments for one in record)


def _header(segments, samples):
    """The head of a .npy file; numpy pads it to HEADER_BYTES for numbers of any size."""
    output = io.BytesIO()
    description = {"descr": "<i2", "fortran_order": False, "shape": (segments, samples)}
    np.lib.format.write_array_header_1_0(output, description)
    return output.getvalue()
