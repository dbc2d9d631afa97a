"""Batches of prepared clips, as tf.data datasets.

Every batch is a function of its step alone: the clips of an epoch are one permutation seeded by (seed, epoch), and a
step is a slice of it. So a run resumes exactly where it stopped, without a shuffle buffer, and the number of a clip
travels with the clip. The permutation is drawn from all orders alike and stored as positions, 8 bytes a clip for this
epoch and the next. Batches are read in chunks of at most 64 clips, the size at which waveform augmentation was measured
fastest.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from asc_tf.data import audio
from asc_tf.errors import UserError

CHUNK = 64
SHIFTS = 1  # beside the seed: the shifts are no part of the permutations' random numbers
PARALLEL = tf.data.AUTOTUNE


@dataclass(frozen=True, eq=False)
class Source:
    """Segments to draw from.

    Args:
        read: Function from (rows,) to (rows, samples), such as PreparedClips.read.
        samples: Samples in a segment.
        rows: (segments,) rows of the prepared clips.
        labels: (segments,) class numbers.
        classes: Number of classes.
        devices: (segments,) device names, "" where unknown.
        columns: {name: (segments, ...) numbers} that travel with a segment, such as teacher outputs.
        label_sets: (sets, classes) bool, the classes that each number in `labels` stands for; None where it is a class.
        class_weights: (classes,) factors of the cross entropy, which travel with every batch; None for equal ones.
        balance: Whether `training` draws all classes equally often.
        full_scale: Full scale of what `read` returns: int16, or float32 where it is 1.
        max_shift: Samples by which `training` shifts a segment at most, either way.
        read_shifted: Function like `read` from (rows,) and (rows,) shifts in samples, see data/crops.py.
    """

    read: Callable[[np.ndarray], np.ndarray]
    samples: int
    rows: np.ndarray
    labels: np.ndarray
    classes: int
    devices: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    label_sets: np.ndarray | None = None
    class_weights: np.ndarray | None = None
    balance: bool = False
    full_scale: float = float(audio.FULL_SCALE)
    max_shift: int = 0
    read_shifted: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    def __len__(self):
        return len(self.rows)

    def part(self, positions: np.ndarray) -> "Source":
        """Some of the segments, in the order given; one may come several times.

        Args:
            positions: Their positions in this source.
        """
        return dataclasses.replace(
            self,
            rows=self.rows[positions],
            labels=self.labels[positions],
            devices=self.devices[positions],
            columns={name: values[positions] for name, values in self.columns.items()},
        )


def training(
    source: Source, *, batch_size: int, seed: int, first_step: int, last_step: int, worker: int = 0, workers: int = 1
) -> tf.data.Dataset:
    """Chunks of shuffled training batches.

    With source.balance, classes take turns in random order, so that the numbers of their clips in a batch differ by
    two at most, and by nothing where the batch size is a multiple of the number of classes. An epoch has as many clips
    as without; those of a class come in permutations, one after the other.

    Clips left over at the end of an epoch (fewer than a batch) are left to the next permutation. Chunks are numbered
    through the whole batch: as long as their size stays, a chunk has the same clips and number for any `workers`.

    Args:
        source: The training segments.
        batch_size: Clips in a batch, all workers together.
        seed: Seed of the permutations.
        first_step: First step, from 0.
        last_step: Step before which the dataset ends.
        worker: Number of this process among those that share a batch, from 0.
        workers: Number of processes that share a batch.

    Returns:
        Dataset of (chunk, number of the chunk) with share / chunk_size(share) elements a step, share =
        batch_size / workers. A chunk is a dict of "wave" (chunk, samples) float32, "label" (chunk, classes) float32 of
        0 and 1, "device" (chunk,) string, and the source's columns (chunk, ...) float32.

    Raises:
        UserError: The batch cannot be shared evenly.
    """
    chunk = chunk_size(worker_share(batch_size, worker, workers))
    chunks_per_step = batch_size // chunk
    chunks_per_worker = chunks_per_step // workers  # in a step
    chunks_per_epoch = steps_per_epoch(source, batch_size) * chunks_per_step
    permutation = _balanced if source.balance else _permutation
    order = functools.lru_cache(maxsize=2)(lambda epoch: permutation(source, np.random.default_rng([seed, epoch])))

    def positions(number):
        epoch, index = divmod(int(number), chunks_per_epoch)
        return order(epoch)[index * chunk : (index + 1) * chunk]

    def read(rows, number):
        if not source.max_shift:
            return source.read(rows)
        rng = np.random.default_rng([seed, SHIFTS, int(number)])
        return source.read_shifted(rows, rng.integers(-source.max_shift, source.max_shift + 1, len(rows)))

    def fetch(index):
        step, index_in_step = index // chunks_per_worker, index % chunks_per_worker
        number = step * chunks_per_step + worker * chunks_per_worker + index_in_step
        return _fetch(source, positions, number, chunk, read), number

    indices = tf.data.Dataset.range(first_step * chunks_per_worker, last_step * chunks_per_worker)
    return indices.map(fetch, num_parallel_calls=PARALLEL)


def worker_share(batch_size: int, worker: int, workers: int) -> int:
    """Clips of a batch that one worker has.

    Args:
        batch_size: Clips in a batch, all workers together.
        worker: Number of the worker, from 0.
        workers: Number of workers.

    Raises:
        UserError: The share is not a whole number of clips, or the worker does not exist.
    """
    if batch_size % workers:
        raise UserError(f"train.batch_size = {batch_size} must be a multiple of the {workers} workers that share it.")
    if not 0 <= worker < workers:
        raise UserError(f"worker = {worker}: the {workers} worker(s) are numbered from 0 to {workers - 1}.")
    return batch_size // workers


def evaluation(source: Source, chunk: int) -> tf.data.Dataset:
    """All segments once, in order.

    Args:
        source: The segments.
        chunk: Segments in an element; fewer in the last one.

    Returns:
        Dataset of dicts like those of `training`.
    """
    numbers = tf.data.Dataset.range(-(-len(source) // chunk))
    every = np.arange(len(source))

    def positions(number):
        return every[int(number) * chunk : (int(number) + 1) * chunk]

    def read(rows, number):
        return source.read(rows)

    return numbers.map(lambda number: _fetch(source, positions, number, None, read), num_parallel_calls=PARALLEL)


def steps_per_epoch(source: Source, batch_size: int) -> int:
    """Complete batches in one pass over the source."""
    return len(source) // batch_size


def chunk_size(batch_size: int, most: int = CHUNK) -> int:
    """The largest divisor of the batch size that is at most `most`."""
    return max(size for size in range(1, min(most, batch_size) + 1) if batch_size % size == 0)


def _permutation(source, rng):
    return rng.permutation(len(source))


def _balanced(source, rng):
    """Positions of an epoch, as many as there are segments: the classes in turn, each through its own permutations."""
    classes = np.unique(source.labels)
    rounds = -(-len(source) // len(classes))
    turns = rng.permuted(np.tile(classes, (rounds, 1)), axis=1).ravel()[: len(source)]
    order = np.empty(len(source), np.int64)
    for label in classes:
        turn, members = np.flatnonzero(turns == label), np.flatnonzero(source.labels == label)
        passes = -(-len(turn) // len(members))
        order[turn] = np.concatenate([rng.permutation(members) for _ in range(passes)])[: len(turn)]
    return order


def _fetch(source, positions, number, chunk, read_waves):
    """The segments at `positions(number)`, their waves by `read_waves(rows, number)`, as a dict of tensors.

    chunk: How many they are, None if unknown.
    """
    names = ["wave", "label", "device", *source.columns]
    wave_type = tf.float32 if source.full_scale == 1 else tf.int16
    types = [wave_type, tf.float32, tf.string, *[tf.float32] * len(source.columns)]
    column_shapes = [[chunk, *column.shape[1:]] for column in source.columns.values()]
    shapes = [[chunk, source.samples], [chunk, source.classes], [chunk], *column_shapes]
    label_sets = np.eye(source.classes) if source.label_sets is None else source.label_sets

    def read(number):
        at = positions(number)
        labels = label_sets[source.labels[at]].astype(np.float32)
        columns = [read_waves(source.rows[at], number), labels, source.devices[at].astype(object)]
        return columns + [column[at].astype(np.float32) for column in source.columns.values()]

    columns = tf.numpy_function(read, [number], types, stateful=False)
    batch = {name: tf.ensure_shape(column, shape) for name, column, shape in zip(names, columns, shapes, strict=True)}
    batch["wave"] = tf.cast(batch["wave"], tf.float32) / source.full_scale
    return batch
