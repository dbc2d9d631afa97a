"""`python -m asc_tf.train [RECIPE]`: from audio files to a checked model.

Prepares the data, trains or reuses the teachers and stores their logits, trains the network, quantises
it and converts it to TFLite where the recipe says so, and evaluates everything on the test split.
"""

import argparse
import sys
from pathlib import Path

from asc_tf import command_line, evaluate, run_folder, teaching
from asc_tf import recipe as recipes


def train(recipe, out, *, resume=False, title="student"):
    """Runs a recipe into the folder `out`; returns the RunFolder.  Every mistake in it is found first."""
    from asc_tf import build

    teachers = [build.taught(recipe, recipes.load(t.recipe, beside=Path(recipe.file).parent)) for t in recipe.teacher]
    for part in (recipe, *teachers):
        build.check(part)
    if recipe.quantise:
        check_quantisable(recipe)
    run = run_folder.create(out, recipe, resume=resume)
    data = build.data(recipe)
    run.write("labels.txt", "\n".join(data.classes) + "\n")
    describe(recipe, data)
    build.measure_normalisation(run, data)
    teacher_logits = teaching.logits(run, teachers, data, train) if teachers else None
    source = build.source(recipe, data, data.train, teacher_logits)
    fit(run, source, data, title)
    if recipe.quantise:
        quantise(run, source, data)
    evaluate.evaluate(run, data)
    return run


def fit(run, source, data, title):
    """Trains the run's network to its last epoch, from where it stopped if it did."""
    import keras

    from asc_tf import build, epochs

    recipe = run.recipe
    steps = whole_steps(recipe, source)
    student = compiled_student(recipe, classes=len(data.classes), steps=recipe.train.epochs * steps)
    validation = build.evaluation_batches(run, build.source(recipe, data, data.validation))
    keeper = epochs.Keeper(run, validation, data.labels(data.validation), title=title)
    done = keeper.resume(student)
    if done >= recipe.train.epochs:
        return
    if done:
        print(f"{title}  goes on after epoch {done}")
    student.fit(
        build.training_batches(run, source, first_step=done * steps, last_step=recipe.train.epochs * steps),
        epochs=recipe.train.epochs,
        initial_epoch=done,
        steps_per_epoch=steps,
        callbacks=[keeper, keras.callbacks.TensorBoard(run.path / "tensorboard", write_graph=False)],
        shuffle=False,  # the batches are shuffled already
        verbose=0,
    )


def compiled_student(recipe, *, classes, steps):
    """The recipe's network in a Student with its optimizer: AdamW, no decay on norms, biases and scalars."""
    import keras

    from asc_tf import build, schedules
    from asc_tf.distillation.student import Student

    rate = schedules.warmup_cosine(
        learning_rate=recipe.train.learning_rate, warmup_steps=recipe.train.warmup_steps, steps=steps
    )
    distill = recipe.distill
    weights = {"temperature": distill.temperature, "label_weight": distill.label_weight} if distill else {}
    student = Student(build.network(recipe, classes), **weights)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.train.weight_decay)
    optimizer.exclude_from_weight_decay([v for v in student.network.trainable_variables if len(v.shape) < 2])
    optimizer.build(student.network.trainable_variables)
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
    from export import qat

    qat.check(build.network(recipe, classes=10, foldable=True), recipe.quantise.float_layers)


def quantise(run, source, data):
    """Quantisation-aware training, int8 TFLite file and parity report, in the run's export folder."""
    from export import quantise as chain  # the one import upwards: a recipe that quantises ends in a file

    chain.run(run, source, data)


def describe(recipe, data):
    """Tells what is trained on."""
    counts = ", ".join(f"{len(getattr(data, part)):,} {part}" for part in ("train", "validation", "test"))
    print(f"{recipe.name}: {counts} clips of {recipe.data.segment_s:g} s, {len(data.classes)} classes", flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m asc_tf.train", description=__doc__.split("\n", 1)[1])
    parser.add_argument("recipe", nargs="?", default="quickstart", help="a shipped recipe's name or a TOML file")
    parser.add_argument("--out", help="the run folder (default: runs/NAME of the recipe)")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)

    def action():
        recipe = recipes.load(options.recipe, options.overrides)
        train(recipe, Path(options.out or f"runs/{recipe.name}"), resume=options.resume)

    return command_line.start("train", action, go_on="The last whole epoch is kept: go on with --resume.")


if __name__ == "__main__":
    sys.exit(main())
