"""Who teaches a run, and what do its teachers say of the training clips?"""

import dataclasses
import functools

from asc_tf import reuse


def logits(run, teachers, data, train, team):
    """(training segments, classes): the mean of all teacher runs' logits, each run trained or reused.

    teachers: the recipes of run.recipe.teacher on the run's own data.  train: as train.train.
    team: the workers.Team at work; its chief asks the teachers, the others read what it has stored.
    """
    import numpy as np

    found = []
    for teacher, entry in zip(teachers, run.recipe.teacher, strict=True):
        for seed in range(1, entry.runs + 1):
            made = reuse.run(run.path.parent, dataclasses.replace(teacher, seed=seed), train, title="teacher")
            answers = functools.partial(one_runs_logits, made, data)
            found.append(team.first(answers, then=answers))
    return np.mean(found, axis=0)


def one_runs_logits(taught, data):
    """(training segments, classes) of one finished teacher run."""
    from asc_tf import build, epochs
    from asc_tf.distillation import teachers

    own = build.data(taught.recipe, quiet=True)

    def compute():
        network = epochs.load_best(taught, build.network(taught.recipe, len(data.classes)))
        return build.outputs(
            build.forward(network), build.evaluation_batches(taught, build.source(taught.recipe, own, own.train))
        )

    return teachers.logits(taught, own.names(own.train), data.names(data.train), compute)
