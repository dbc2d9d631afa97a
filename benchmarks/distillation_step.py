"""How much slower than a plain step is one that distils, from stored logits, stored embeddings or a live teacher?

Run:     python benchmarks/distillation_step.py [--rounds 20] [--steps 5] [--batch 64]
Output:  milliseconds a step of the quickstart's student and the ratio to the plain one, medians over the steps of
         rounds that take all ways in turn, each round beginning with another; then the promise, kept or missed.

A step is what an epoch is made of: reading, augmentation, front end, forward, loss, backward, AdamW. Clips are
noise.
"""

import argparse
import dataclasses
import statistics
import time

import numpy as np
import tensorflow as tf

from asc_tf import build, dataset
from asc_tf.data import batches
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder
from asc_tf.training import fit as train
from asc_tf.training import online_teachers as live

CLASSES = tuple("abcdefghij")
PROMISED = 1.05  # of stored logits
EMBEDDING = ["distill.embedding_weight=1", 'distill.layer="b6_relu"', 'teacher.quickstart_teacher.layer="b6_relu"']
REST_S = 0.3  # until what works ahead in the background has come to rest


def ways(batch):
    """{name: a function that trains one step}; the plain one is the first."""
    stored = recipe.load("quickstart", [f"train.batch_size={batch}"])
    plain = dataclasses.replace(stored, distill=None, teacher=())
    embedded = recipe.load("quickstart", [f"train.batch_size={batch}", *EMBEDDING])
    teacher = recipe.load("quickstart_teacher")
    network = build.network(teacher, len(CLASSES))
    size = network.get_layer("b6_relu").output.shape[-1]
    ask = live.teachers(folder(stored), [(folder(teacher), network, None)])
    logits = np.random.default_rng(0).standard_normal((10 * batch, len(CLASSES)))
    return {
        "plain": step(plain, source(plain)),
        "stored logits": step(stored, source(stored, logits)),
        "stored logits and embedding": step(embedded, source(embedded, logits), embedding_size=size),
        "live teacher": step(stored, source(plain), live=ask),
    }


def folder(loaded):
    return run_folder.RunFolder(".", loaded)


def source(loaded, logits=None):
    """Ten batches of noise."""
    rng, count = np.random.default_rng(0), 10 * loaded.train.batch_size
    waves = rng.integers(-8000, 8000, (count, dataset.segment_samples(loaded)), np.int16)
    labels, devices = rng.integers(len(CLASSES), size=count), np.full(count, "")
    return batches.Source(
        waves.__getitem__,
        waves.shape[1],
        np.arange(count),
        labels,
        len(CLASSES),
        devices,
        {} if logits is None else {"teacher": logits},
    )


def step(loaded, source, *, embedding_size=0, live=None):
    """A function that trains one step on the next batch."""
    total = 100 * loaded.train.epochs
    student = train.compiled_student(
        loaded,
        classes=CLASSES,
        steps=total,
        embedding_sizes=[embedding_size] if embedding_size else (),
        live=live,
    )
    heard = build.training_batches(folder(loaded), source, first_step=0, last_step=total)
    if embedding_size:
        heard = heard.map(with_embedding(len(source), embedding_size))
    student.make_train_function()
    iterator = iter(heard)
    return lambda: student.train_function(iterator)["loss"].numpy()


def with_embedding(clips, size):
    """Adds what is stored of as many clips as there are labels."""
    stored = tf.constant(np.random.default_rng(0).standard_normal((clips, size)), tf.float32)

    def added(spectrograms, targets):
        return spectrograms, targets | {"embedding 0": tf.gather(stored, tf.argmax(targets["label"], 1))}

    return added


def milliseconds(train_step, steps):
    """Of each of some steps."""
    time.sleep(REST_S)
    train_step()  # nobody starts cold
    times = [time.perf_counter()]
    for _ in range(steps):
        train_step()
        times.append(time.perf_counter())
    return (1000 * np.diff(times)).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=5, help="measured in a round")
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    trained = ways(options.batch)
    taken, names = {name: [] for name in trained}, list(trained)
    for name in names:
        milliseconds(trained[name], 1)  # traces
    for first in range(options.rounds):
        for place in range(len(names)):
            name = names[(first + place) % len(names)]
            taken[name] += milliseconds(trained[name], options.steps)
    median = {name: statistics.median(times) for name, times in taken.items()}
    for name in names:
        print(f"{name:30} {median[name]:7.1f} ms  {median[name] / median['plain']:5.3f} x", flush=True)
    kept = median["stored logits"] <= PROMISED * median["plain"]
    print(f"promised: stored logits at most {PROMISED} of plain: {'kept' if kept else 'MISSED'}")


if __name__ == "__main__":
    main()
