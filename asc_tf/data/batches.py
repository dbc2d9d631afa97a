"""In which order do prepared clips reach the network?

Every batch is a function of its step alone: the clips of an epoch are one permutation seeded by
(seed, epoch), and a step takes its slice. So a run goes on exactly where it stopped, needs no shuffle
buffer, and the clip number travels with the clip. The permutation is drawn from all orders alike; it is
kept as positions, 8 bytes a clip for this epoch and the next. Batches are read in chunks of at most 64
clips, the size at which waveform augmentation was measured fastest.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from asc_tf.data import audio
from asc_tf.errors import UserError

CHUNK = 64
PARALLEL = tf.data.AUTOTUNE


@dataclass(frozen=True, eq=False)
class Source:
    """Segments to draw from.

    read:    (rows,) -> (rows, samples) int16, as shards.Prepared.read.
    rows:    (segments,) rows of the prepared clips.
    labels:  (segments,) class numbers.   classes: how many there are.
    label_sets: (sets, classes) bool, which classes each number in `labels` stands for; None where it is a class.
    devices: (segments,) device names, "" where unknown.
    columns: {name: (segments, ...) numbers} that travel with a segment, as teaching.columns makes them.
    """

    read: object
    samples: int
    rows: np.ndarray
    labels: np.ndarray
    classes: int
    devices: np.ndarray
    columns: dict = field(default_factory=dict)
    label_sets: np.ndarray | None = None

    def __len__(self):
        return len(self.rows)


def training(source, *, batch_size, seed, first_step, last_step, worker=0, workers=1):
    """Chunks of the steps from first_step to last_step - 1, share / chunk_size(share) a step, share = batch / workers.

    Each is a dict of "wave" (chunk, samples) float32, "label" (chunk, classes) of 0 and 1,
    "device" (chunk,) and the source's columns (chunk, ...) float32; beside it the chunk's number.
    Clips left over at the end of an epoch (fewer than a batch) wait for the next permutation.

    worker, workers: of a batch shared by several processes, the part of this one.  Chunks are numbered through the
    whole batch: as long as they keep their size, a chunk is the same clips under the same number for any `workers`.
    Raises UserError for a batch that cannot be shared evenly.
    """
    chunk = chunk_size(shared(batch_size, worker, workers))
    chunks_a_step = batch_size // chunk
    own = chunks_a_step // workers
    chunks_an_epoch = steps_per_epoch(source, batch_size) * chunks_a_step
    order = functools.lru_cache(maxsize=2)(lambda epoch: np.random.default_rng([seed, epoch]).permutation(len(source)))

    def positions(number):
        epoch, place = divmod(int(number), chunks_an_epoch)
        return order(epoch)[place * chunk : (place + 1) * chunk]

    def fetched(place):
        number = place // own * chunks_a_step + worker * own + place % own
        return _fetched(source, positions, number, chunk), number

    return tf.data.Dataset.range(first_step * own, last_step * own).map(fetched, num_parallel_calls=PARALLEL)


def shared(batch_size, worker, workers):
    """A worker's share of a batch.  Raises UserError unless it is a whole number of clips and the worker exists."""
    if batch_size % workers:
        raise UserError(f"train.batch_size = {batch_size} must be a multiple of the {workers} workers that share it.")
    if not 0 <= worker < workers:
        raise UserError(f"worker = {worker}: the {workers} worker(s) are numbered from 0 to {workers - 1}.")
    return batch_size // workers


def evaluation(source, chunk):
    """All segments once, in order, as dicts like those of `training`, `chunk` of them at a time."""
    numbers = tf.data.Dataset.range(-(-len(source) // chunk))
    everything = np.arange(len(source))

    def positions(number):
        return everything[int(number) * chunk : (int(number) + 1) * chunk]

    return numbers.map(lambda n: _fetched(source, positions, n, None), num_parallel_calls=PARALLEL)


def steps_per_epoch(source, batch_size):
    """Whole batches in one pass over the source."""
    return len(source) // batch_size


def chunk_size(batch_size, most=CHUNK):
    """The largest divisor of the batch size that is at most `most`."""
    return max(size for size in range(1, min(most, batch_size) + 1) if batch_size % size == 0)


def _fetched(source, positions, number, chunk):
    names = ["wave", "label", "device", *source.columns]
    types = [tf.int16, tf.float32, tf.string] + [tf.float32] * len(source.columns)
    told = [[chunk, *column.shape[1:]] for column in source.columns.values()]
    shapes = [[chunk, source.samples], [chunk, source.classes], [chunk], *told]
    stands_for = np.eye(source.classes) if source.label_sets is None else source.label_sets

    def fetch(number):
        at = positions(number)
        labels = stands_for[source.labels[at]].astype(np.float32)
        columns = [source.read(source.rows[at]), labels, source.devices[at].astype(object)]
        return columns + [column[at].astype(np.float32) for column in source.columns.values()]

    columns = tf.numpy_function(fetch, [number], types, stateful=False)
    batch = {name: tf.ensure_shape(column, shape) for name, column, shape in zip(names, columns, shapes, strict=True)}
    batch["wave"] = tf.cast(batch["wave"], tf.float32) / audio.FULL_SCALE
    return batch
