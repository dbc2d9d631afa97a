"""Training of one network: learning rate, optimizer, fit from the first or the last completed epoch."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from asc_tf import build, dataset
from asc_tf.data import batches
from asc_tf.dataset import LoadedDataset
from asc_tf.distillation.student import Student
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder
from asc_tf.training import initial_weights, optimizers, teacher_runs
from asc_tf.training.callbacks import EpochCheckpoint
from asc_tf.training.distribution import SINGLE_PROCESS, Distribution
from asc_tf.training.teacher_runs import TeacherRun


@dataclass(frozen=True)
class FineTuning:
    """How the training of a network that is trained already goes on with other clips.

    Its weights before the first epoch count as those of an epoch where the best ones are chosen by validation.

    Args:
        epochs_before: Epochs that it was trained for, for layers whose settings change with the epoch.
        head_only: Whether only the layers are trained whose weights depend on the number of classes.
    """

    epochs_before: int
    head_only: bool


def fit(
    run: RunFolder,
    source: batches.Source,
    data: LoadedDataset,
    *,
    title: str,
    distribution: Distribution = SINGLE_PROCESS,
    initial: TrainedRun | None = None,
    fine_tuning: FineTuning | None = None,
    teachers: Sequence[TeacherRun] = (),
    embedding_sizes: Sequence[int] = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    on_validation: Callable[[int, np.ndarray], None] | None = None,
) -> None:
    """Trains the run's network to its last epoch, from the epoch where it stopped if it did.

    Args:
        run: The run.
        source: Its training segments, with the stored outputs of teachers.
        data: Its dataset.
        title: Start of every printed line.
        distribution: The processes and devices that train together.
        initial: Run whose weights are copied first.
        fine_tuning: Set where the network of `initial` is fine-tuned.
        teachers: Its teachers, which are computed in every step where the recipe has them online.
        embedding_sizes: Size of the embedding of every teacher that has one.
        callbacks: Further callbacks, called after those of every training.
        on_validation: As of EpochCheckpoint.
    """
    recipe = run.recipe
    steps = dataset.whole_steps(recipe, len(source))
    with distribution.scope():
        student = compiled_student(
            recipe,
            classes=data.classes,
            steps=recipe.train.epochs * steps,
            embedding_sizes=embedding_sizes,
            online=teacher_runs.online(run, teachers),
            head_only=fine_tuning is not None and fine_tuning.head_only,
        )
        distribution.adapt(student)
    validation = build.evaluation_batches(run, build.source(recipe, data, data.validation))
    scored = data.validation if _trains_head(recipe) else data.validation[:0]
    labels, chief = data.labels(scored), distribution.is_chief
    checkpoint = EpochCheckpoint(
        run,
        student.network,
        validation,
        labels,
        title=title,
        is_chief=chief,
        epochs_before=fine_tuning.epochs_before if fine_tuning else 0,
        on_validation=on_validation,
    )
    done = checkpoint.resume(student)
    if done >= recipe.train.epochs:
        return
    if done:
        print(f"{title}  goes on after epoch {done}")
    elif initial:
        initial_weights.copy_weights(student.network, recipe, initial)
        if fine_tuning:
            checkpoint.keep_initial()
    first_step, last_step = done * steps, recipe.train.epochs * steps
    step_batches = functools.partial(build.training_batches, run, source, first_step=first_step, last_step=last_step)
    board = keras.callbacks.TensorBoard(run.path / layout.TENSORBOARD, write_graph=False)
    student.fit(
        distribution.share(step_batches, recipe.train.batch_size),
        epochs=recipe.train.epochs,
        initial_epoch=done,
        steps_per_epoch=steps,
        callbacks=[checkpoint, *([board] if distribution.is_chief else []), *callbacks],
        shuffle=False,  # the batches are shuffled already
        verbose=0,
    )


def compiled_student(
    recipe: Recipe,
    *,
    classes: Sequence[str],
    steps: int,
    embedding_sizes: Sequence[int] = (),
    online: Callable | None = None,
    head_only: bool = False,
) -> Student:
    """The recipe's network, in the precision of its training, in a Student with its optimizer.

    Args:
        recipe: The recipe.
        classes: Names of the classes.
        steps: Steps of the whole training.
        embedding_sizes: As for Student.
        online: As for Student.
        head_only: As of FineTuning.
    """
    rate = warmup_cosine(learning_rate=recipe.train.learning_rate, warmup_steps=recipe.train.warmup_steps, steps=steps)
    student = build.student(
        recipe,
        classes,
        embedding_sizes=embedding_sizes,
        steps_per_epoch=steps // recipe.train.epochs,
        online=online,
    )
    if head_only:
        head = build.head_layers(recipe, student.network)
        for layer in student.network.layers:
            layer.trainable = layer.name in head
    optimizer = optimizers.adamw(recipe.train, rate, student.network, student.trainable_variables)
    student.compile(optimizer=optimizer, jit_compile=False)  # XLA is 3-5 times slower on these networks' CPU training
    return student


def warmup_cosine(
    *, learning_rate: float, warmup_steps: int, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Learning rate: linear from 0 over the warm-up, then half a cosine to 0.

    A warm-up longer than half the training is cut to that half, so that short runs train too.

    Args:
        learning_rate: Its peak.
        warmup_steps: Steps of the warm-up.
        steps: Steps of the whole training.

    Source:
        The DCASE 2024 baseline and jku2024 (peak 5e-3, 2,000 warm-up steps, 150 epochs).
    """
    warmup_steps = min(warmup_steps, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        decay_steps=steps - warmup_steps,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def _trains_head(recipe):
    """Whether labels or logits are learned, so that the scores of validation clips say which weights are best."""
    distill = recipe.distill
    return distill is None or distill.label_weight != 0 or distill.teacher_weight != 0
