"""Who teaches a run, and what do its teachers say of its clips?

Several processes that train together share the asking: `shared` is the worker, workers and together of
distillation.teachers.outputs.
"""

import dataclasses
import functools
from typing import NamedTuple

from asc_tf.runs import reuse
from asc_tf.runs.folder import RunFolder


class Taught(NamedTuple):
    """One run that teaches.  layer: of its embedding, or None.  data: its dataset.Data, prepared at its own rate."""

    run: RunFolder
    layer: str | None
    data: object


def runs(run, teachers, data, train):
    """The Taught of every teacher run, trained to its end or reused, in the order of the recipe.

    teachers: the recipes of run.recipe.teacher on the run's own data.  train: as train.train.
    """
    from asc_tf import dataset

    found = []
    for teacher, entry in zip(teachers, run.recipe.teacher, strict=True):
        recipes = [dataclasses.replace(teacher, seed=seed) for seed in range(1, entry.runs + 1)]
        made = [reuse.run(run.path.parent, recipe, train, title="teacher") for recipe in recipes]
        same = dataset.sample_rate_hz(teacher) == dataset.sample_rate_hz(run.recipe)
        own = data if same else dataset.load(teacher, quiet=True)
        found += [Taught(one, entry.layer, own) for one in made]
    return found


def columns(run, taught, data, **shared):
    """What the teachers say of the training segments, for batches.Source; nothing where they are heard live.

    "teacher": (segments, classes) logits of the one that all make together or, where that depends on the batch,
    (segments, runs, classes) of all.  "embedding 0", ...: (segments, size), one a run that has a layer.
    """
    import numpy as np

    from asc_tf.distillation import ensembles

    distill = run.recipe.distill
    if distill.ensemble == "weighted":
        fit(run, taught, data, **shared)
    if distill.live:
        return {}
    answers = [asked(one, data, "train", crops=distill.crops, **shared) for one in taught]
    logits = np.stack([answer["logits"] for answer in answers], axis=1)
    if not ensembles.needs_the_batch(run.recipe):
        logits = np.asarray(ensembles.of(run)(logits.astype(np.float32)))
    embeddings = [answer["embedding"] for answer in answers if "embedding" in answer]
    return {"teacher": logits} | {f"embedding {place}": values for place, values in enumerate(embeddings)}


def fit(run, taught, data, *, worker=0, together=lambda action: action(), **shared):
    """Fits the weights of the recipe's members to the validation segments, into ensemble.json.

    A run that goes on keeps what it began with.  Members that depend on the batch take all these segments as one.
    """
    import numpy as np

    from asc_tf.distillation import ensembles

    if run.has(ensembles.FIT) and run.has("state.npz"):
        return
    ask = functools.partial(asked, crops=run.recipe.distill.crops, worker=worker, together=together, **shared)
    logits = np.stack([ask(one._replace(layer=None), data, "validation")["logits"] for one in taught], axis=1)
    members = np.asarray(ensembles.members(logits.astype(np.float32), ensembles.groups(run.recipe)))
    found = {"members": ensembles.names(run.recipe)} | ensembles.fitted(members, data.labels(data.validation))
    together(lambda: None if worker else run.write_json(ensembles.FIT, found))


def live(run, taught, classes):
    """What the Student asks inside every step; None where the recipe has no live teachers.  classes: how many."""
    if not (run.recipe.distill and run.recipe.distill.live):
        return None
    from asc_tf import build
    from asc_tf.distillation import ensembles
    from asc_tf.training import callbacks as epochs
    from asc_tf.training import online_teachers as heard

    networks = [epochs.load_best(one.run, build.network(one.run.recipe, classes)) for one in taught]
    members = [(one.run, network, one.layer) for one, network in zip(taught, networks, strict=True)]
    return heard.teachers(run, members, ensembles.of(run))


def asked(one, data, part, *, crops, **shared):
    """{"logits", perhaps "embedding"} (segments, ...) float16 of one Taught for a part of the data, by its name.

    The means of what it says of the crops (see data/crops.py), each heard by itself.
    """
    from asc_tf.training import teacher_outputs as teachers

    rows = getattr(one.data, part)
    clips = one.data.names(rows)
    store = teachers.store(part, crops=crops, layer=one.layer)
    found = teachers.outputs(one.run, store, clips, _asker(one, rows, crops), **shared)
    if one.data is data:
        return found
    places = teachers.places(one.run, clips, data.names(getattr(data, part)))
    return {name: values[places] for name, values in found.items()}


def _asker(one, rows, crops):
    """A function of a slice of the rows that yields the teacher's answers, batch after batch."""
    import numpy as np

    from asc_tf import build, dataset
    from asc_tf.data.crops import shifts

    recipe = one.run.recipe
    network = functools.cache(lambda: _network(one))

    def ask(some):
        sources = [
            build.source(recipe, one.data, rows[some], shift=shift)
            for shift in shifts(crops, dataset.segment_samples(recipe))
        ]
        for heard in zip(*(build.evaluation_batches(one.run, source) for source in sources), strict=True):
            said = [network()(spectrograms) for spectrograms in heard]
            yield {name: np.mean([crop[name] for crop in said], axis=0) for name in said[0]}

    return ask


def _network(one):
    """A function from spectrograms to {"logits", perhaps "embedding"} of a teacher."""
    import keras

    from asc_tf import build
    from asc_tf.distillation import embedding
    from asc_tf.training import callbacks as epochs

    recipe = one.run.recipe
    network = epochs.load_best(one.run, build.network(recipe, len(one.data.classes)))
    outputs = {"logits": network.output}
    if one.layer:
        outputs["embedding"] = embedding.output(network, one.layer, f"teacher.{recipe.name}.layer")
    return build.forward(keras.Model(network.inputs, outputs))
