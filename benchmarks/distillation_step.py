"""Time of a training step with distillation, relative to a plain one: stored logits, stored embeddings, online teacher.

Run:     python benchmarks/distillation_step.py [--rounds 20] [--steps 5] [--batch 64]
Output:  milliseconds a step of the quickstart's student and the ratio to the plain one, medians over the steps of
         rounds that measure all variants in turn, each round starting with another; then whether the target is met.

A step is as in an epoch: reading, augmentation, front end, forward, loss, backward, AdamW. Clips are noise.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from asc_tf import build, dataset
from asc_tf.data import batches
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs.folder import RunFolder
from asc_tf.training.fit import compiled_student
from asc_tf.training.online_teachers import online_teachers

CLASSES = tuple("abcdefghij")
TARGET = 1.05  # most of stored logits, relative to the plain step
EMBEDDING = ["distill.embedding_weight=1", 'distill.layer="b6_relu"', 'teacher.quickstart_teacher.layer="b6_relu"']
REST_S = 0.3  # until the pipeline's buffers are full again


def variants(batch_size: int) -> dict[str, Callable[[], float]]:
    """{name: function that trains one step}, the plain one first."""
    stored = resolve.load("quickstart", [f"train.batch_size={batch_size}"])
    plain = dataclasses.replace(stored, distill=None, teacher=())
    embedded = resolve.load("quickstart", [f"train.batch_size={batch_size}", *EMBEDDING])
    teacher = TrainedRun(run_folder(resolve.load("quickstart_teacher")))
    teacher.network = build.network(teacher.recipe, len(CLASSES))  # untrained: weights do not change the time
    size = teacher.network.get_layer("b6_relu").output.shape[-1]
    logits = np.random.default_rng(0).standard_normal((10 * batch_size, len(CLASSES)))
    return {
        "plain": step(plain, source(plain)),
        "stored logits": step(stored, source(stored, logits)),
        "stored logits and embedding": step(embedded, source(embedded, logits), embedding_size=size),
        "online teacher": step(stored, source(plain), online=online_teachers(run_folder(stored), [(teacher, None)])),
    }


def run_folder(recipe: Recipe) -> RunFolder:
    """A run of a recipe that writes nothing."""
    return RunFolder(".", recipe)


def source(recipe: Recipe, logits: np.ndarray | None = None) -> batches.Source:
    """Ten batches of noise, with stored logits (clips, classes) of a teacher or without."""
    rng, count = np.random.default_rng(0), 10 * recipe.train.batch_size
    waves = rng.integers(-8000, 8000, (count, dataset.segment_samples(recipe)), np.int16)
    labels, devices = rng.integers(len(CLASSES), size=count), np.full(count, "")
    return batches.Source(
        read=waves.__getitem__,
        samples=waves.shape[1],
        rows=np.arange(count),
        labels=labels,
        classes=len(CLASSES),
        devices=devices,
        columns={} if logits is None else {"teacher": logits},
    )


def step(
    recipe: Recipe, source: batches.Source, *, embedding_size: int = 0, online: Callable | None = None
) -> Callable[[], float]:
    """A function that trains one step on the next batch and returns its loss.

    Args:
        recipe: The recipe.
        source: The clips.
        embedding_size: Size of the teacher's embedding; 0 for none.
        online: Function of an online teacher.
    """
    total = 100 * recipe.train.epochs
    sizes = [embedding_size] if embedding_size else ()
    student = compiled_student(recipe, classes=CLASSES, steps=total, embedding_sizes=sizes, online=online)
    inputs = build.training_batches(run_folder(recipe), source, first_step=0, last_step=total)
    if embedding_size:
        inputs = inputs.map(with_embedding(len(source), embedding_size))
    student.make_train_function()
    iterator = iter(inputs)
    return lambda: student.train_function(iterator)["loss"].numpy()


def with_embedding(clips: int, size: int) -> Callable:
    """A function that adds embeddings of noise to the targets, taken from as many as there are clips."""
    stored = tf.constant(np.random.default_rng(0).standard_normal((clips, size)), tf.float32)

    def add(spectrograms, targets):
        return spectrograms, targets | {"embedding": tf.gather(stored, tf.argmax(targets["label"], 1))}

    return add


def milliseconds(train_step: Callable[[], float], steps: int) -> list[float]:
    """Duration of each of some steps, after one that is not measured."""
    time.sleep(REST_S)
    train_step()
    times = [time.perf_counter()]
    for _ in range(steps):
        train_step()
        times.append(time.perf_counter())
    return (1000 * np.diff(times)).tolist()


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=5, help="measured in a round")
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    functions = variants(options.batch)
    times, names = {name: [] for name in functions}, list(functions)
    for name in names:
        milliseconds(functions[name], 1)  # traces
    for first in range(options.rounds):
        for name in names[first % len(names) :] + names[: first % len(names)]:
            times[name] += milliseconds(functions[name], options.steps)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name in names:
        print(f"{name:30} {medians[name]:7.1f} ms  {medians[name] / medians['plain']:5.3f} x", flush=True)
    met = medians["stored logits"] <= TARGET * medians["plain"]
    print(f"target: stored logits at most {TARGET} of plain: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
