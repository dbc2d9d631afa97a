"""`python -m asc_tf.train [RECIPE]`: from audio files to a checked model.

Prepares the data, trains or reuses the run that the recipe starts from and the teachers, whose logits are stored,
trains the network, quantises it and converts it to TFLite where the recipe says so, and evaluates everything on the
test split.
"""

import argparse
import functools
import sys
from pathlib import Path

from asc_tf import command_line
from asc_tf.evaluation import evaluate
from asc_tf.recipe import resolve as recipes
from asc_tf.runs import folder as run_folder
from asc_tf.training import distribution as workers
from asc_tf.training import initial_weights as starting
from asc_tf.training import teacher_runs as teaching


def train(recipe, out, *, resume=False, title="student", team=workers.ALONE):
    """Runs a recipe into the folder `out`; returns the RunFolder.  Every mistake in it is found first.

    team: the workers.Team that trains it; this process does its part.
    """
    from asc_tf import build

    recipes.needed(recipe)
    teachers = check(recipe, team)
    run, data = team.first(lambda: begun(recipe, out, resume=resume), then=lambda: joined(recipe, out))
    train_it = functools.partial(train, team=team)
    former = starting.former(run, data, train_it)
    taught = teaching.runs(run, teachers, data, train_it)
    shared = {"worker": team.worker, "workers": team.workers, "together": team.together}
    columns = teaching.columns(run, taught, data, **shared) if taught else {}
    source = build.source(recipe, data, data.train, columns)
    fit(run, source, data, title, team, former, taught)
    team.first(lambda: finish(run, source, data, taught))
    return run


def begun(recipe, out, *, resume):
    """(RunFolder, dataset.Data) of a run, all that stands before its training written."""
    from asc_tf import build, dataset

    run = run_folder.create(out, recipe, resume=resume)
    data = dataset.load(recipe)
    run.write("labels.txt", "\n".join(data.classes) + "\n")
    describe(recipe, data)
    build.measure_normalisation(run, data)
    return run, data


def joined(recipe, out):
    """What `begun` gave the chief, for workers that write nothing."""
    from asc_tf import dataset

    return run_folder.begun_by_another(out, recipe), dataset.load(recipe, quiet=True)


def finish(run, source, data, taught):
    """Makes and evaluates what a trained run is for."""
    if run.recipe.quantise:
        quantise(run, source, data, taught)
    evaluate.evaluate(run, data)


def check(recipe, team=workers.ALONE):
    """Raises UserError for what is wrong in a recipe and in all that it needs; returns its teachers' recipes."""
    from asc_tf import build
    from asc_tf.training import dry_run as fitting

    teachers = [build.taught(recipe, recipes.named(recipe, teacher.recipe)) for teacher in recipe.teacher]
    for teacher in teachers:
        check(teacher, team)
    team.check(recipe)
    fitting.check(recipe, teachers)
    if recipe.quantise:
        check_quantisable(recipe)
    if recipe.start:
        check(starting.check(recipe), team)
    return teachers


def fit(run, source, data, title, team=workers.ALONE, former=None, taught=()):
    """Trains the run's network to its last epoch, from where it stopped if it did, else from a former run's weights.

    team: see train.  taught: the teaching.Taught runs.
    """
    import keras

    from asc_tf import build
    from asc_tf.training import callbacks as epochs

    recipe = run.recipe
    steps = whole_steps(recipe, source)
    with team.scope():
        live = teaching.live(run, taught, len(data.classes))
        student = compiled_student(
            recipe,
            classes=data.classes,
            steps=recipe.train.epochs * steps,
            embedding_sizes=embedding_sizes(run, source, live),
            live=live,
        )
        team.adapt(student)
    validation = build.evaluation_batches(run, build.source(recipe, data, data.validation))
    keeper = epochs.Keeper(run, validation, data.labels(data.validation), title=title, chief=team.chief)
    done = keeper.resume(student)
    if done >= recipe.train.epochs:
        return
    if done:
        print(f"{title}  goes on after epoch {done}")
    elif former:
        starting.take_over(student.network, recipe, former)
    first, last = done * steps, recipe.train.epochs * steps
    batches = functools.partial(build.training_batches, run, source, first_step=first, last_step=last)
    board = keras.callbacks.TensorBoard(run.path / "tensorboard", write_graph=False)
    student.fit(
        team.share(batches, recipe.train.batch_size),
        epochs=recipe.train.epochs,
        initial_epoch=done,
        steps_per_epoch=steps,
        callbacks=[keeper, board] if team.chief else [keeper],
        shuffle=False,  # the batches are shuffled already
        verbose=0,
    )


def embedding_sizes(run, source, live):
    """The sizes of the embeddings that the run's teachers give, in their order: stored in the source, or live."""
    import tensorflow as tf

    from asc_tf import build

    if not (run.recipe.distill and run.recipe.distill.layer):
        return []
    heard, targets = build.training_batches(run, source, first_step=0, last_step=1).element_spec
    said = tf.function(live).get_concrete_function(heard).structured_outputs if live else targets
    return [said[f"embedding {place}"].shape[-1] for place in range(sum("embedding" in key for key in said))]


def compiled_student(recipe, *, classes, steps, embedding_sizes=(), live=None):
    """The recipe's network in a Student with its optimizer: AdamW, no decay on norms, biases and scalars.

    classes: names.  steps: of the whole training.  embedding_sizes, live: as the Student's.
    """
    import keras

    from asc_tf import build, schedules

    rate = schedules.warmup_cosine(
        learning_rate=recipe.train.learning_rate, warmup_steps=recipe.train.warmup_steps, steps=steps
    )
    student = build.student(
        recipe,
        classes,
        embedding_sizes=embedding_sizes,
        steps_per_epoch=steps // recipe.train.epochs,
        live=live,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.train.weight_decay)
    optimizer.exclude_from_weight_decay([v for v in student.trainable_variables if len(v.shape) < 2])
    optimizer.build(student.trainable_variables)
    student.compile(optimizer=optimizer, jit_compile=False)  # XLA is 3-5 times slower on these networks' CPU training
    return student


def whole_steps(recipe, source):
    """Steps in an epoch.  Raises UserError when the training split does not fill one batch."""
    from asc_tf.data import batches
    from asc_tf.errors import UserError

    steps = batches.steps_per_epoch(source, recipe.train.batch_size)
    if not steps:
        size = recipe.train.batch_size
        raise UserError(f"{recipe.file}: train.batch_size = {size} is more than the {len(source)} training clips.")
    return steps


def check_quantisable(recipe):
    """Raises UserError, before any training, if the network has a layer that cannot be quantised."""
    from asc_tf import build
    from export.quantisation import qat

    qat.check(build.network(recipe, classes=10, foldable=True), recipe.quantise.float_layers)


def quantise(run, source, data, taught):
    """Quantisation-aware training, int8 TFLite file and parity report, in the run's export folder."""
    from asc_tf.runs import layout as files
    from export.device import comparison as parity  # the one way upwards: a recipe that quantises ends in a file
    from export.quantisation import run as chain

    if not run.has(files.PARITY):
        followed = taught if run.recipe.quantise.follow == "teachers" else ()
        chain.make(run, source, data, teaching.live(run, followed, len(data.classes)) if followed else None)
        parity.report(run, data, thorough=False)


def describe(recipe, data):
    """Tells what is trained on."""
    counts = ", ".join(f"{len(getattr(data, part)):,} {part}" for part in ("train", "validation", "test"))
    print(f"{recipe.name}: {counts} clips of {recipe.data.segment_s:g} s, {len(data.classes)} classes", flush=True)
