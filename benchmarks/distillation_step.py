"""How much slower than a plain step is one that distils, from stored logits, stored embeddings or a live teacher?

Run:     python benchmarks/distillation_step.py [--rounds 9] [--steps 8] [--batch 64]
Output:  milliseconds a step of the quickstart's student and the ratio to the plain one, medians of rounds that
         take all ways in turn; then the promise, kept or missed.

A step is what an epoch is made of: reading, augmentation, front end, forward, loss, backward, AdamW. Clips are
noise. Ratios are taken within a round, since processors drift.
"""

import argparse
import dataclasses
import statistics
import time

import numpy as np
import tensorflow as tf

from asc_tf import build, live, recipe, run_folder, train
from asc_tf.data import batches

PROMISED = 1.05  # of stored logits
EMBEDDING = ["distill.embedding_weight=1", 'distill.layer="b6_relu"', 'teacher.quickstart_teacher.layer="b6_relu"']
REST_S = 0.3  # until what works ahead in the background has come to rest


def ways(batch):
    """{name: a function that trains one step}; the plain one is the first."""
    stored = recipe.load("quickstart", [f"train.batch_size={batch}"])
    plain = dataclasses.replace(stored, distill=None, teacher=())
    embedded = recipe.load("quickstart", [f"train.batch_size={batch}", *EMBEDDING])
    classes = build.classes(stored)
    teacher = recipe.load("quickstart_teacher")
    network = build.network(teacher, len(classes))
    size = network.get_layer("b6_relu").output.shape[-1]
    ask = live.teachers(folder(stored), [(folder(teacher), network, None)])
    logits = np.random.default_rng(0).standard_normal((10 * batch, len(classes)))
    return {
        "plain": step(plain, source(plain, classes)),
        "stored logits": step(stored, source(stored, classes, logits)),
        "stored logits and embedding": step(embedded, source(embedded, classes, logits), embedding_size=size),
        "live teacher": step(stored, source(plain, classes), live=ask),
    }


def folder(loaded):
    return run_folder.RunFolder(".", loaded)


def source(loaded, classes, logits=None):
    """Ten batches of noise."""
    rng, count = np.random.default_rng(0), 10 * loaded.train.batch_size
    waves = rng.integers(-8000, 8000, (count, build.segment_samples(loaded)), np.int16)
    labels, devices = rng.integers(len(classes), size=count), np.full(count, "")
    return batches.Source(
        waves.__getitem__, waves.shape[1], np.arange(count), labels, len(classes), devices, teacher=logits
    )


def step(loaded, source, *, embedding_size=0, live=None):
    """A function that trains one step on the next batch."""
    total = 100 * loaded.train.epochs
    student = train.compiled_student(
        loaded,
        classes=build.classes(loaded),
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
    time.sleep(REST_S)
    train_step()  # nobody starts cold
    start = time.perf_counter()
    for _ in range(steps):
        train_step()
    return 1000 * (time.perf_counter() - start) / steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=8, help="measured in a round")
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    trained = ways(options.batch)
    for train_step in trained.values():
        train_step()
    rounds = [{name: milliseconds(way, options.steps) for name, way in trained.items()} for _ in range(options.rounds)]
    median = {name: statistics.median(taken[name] for taken in rounds) for name in trained}
    ratio = {name: statistics.median(taken[name] / taken["plain"] for taken in rounds) for name in trained}
    for name in trained:
        print(f"{name:30} {median[name]:7.1f} ms  {ratio[name]:5.3f} x", flush=True)
    kept = ratio["stored logits"] <= PROMISED
    print(f"promised: stored logits at most {PROMISED} of plain: {'kept' if kept else 'MISSED'}")


if __name__ == "__main__":
    main()
