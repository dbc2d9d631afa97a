"""Check of a chain of recipes, before any hour is spent."""

import dataclasses
from pathlib import Path

from asc_tf.chain import tracking
from asc_tf.chain.stages import Stage, in_order
from asc_tf.export.quantisation import qat
from asc_tf.recipe.device_recipe import device_recipe
from asc_tf.runs import folder as run_folder
from asc_tf.training import dry_run, initial_weights, teacher_runs
from asc_tf.training.distribution import SINGLE_PROCESS, Distribution
from asc_tf.training.network_cache import NetworkCache


def check(last: Stage, distribution: Distribution = SINGLE_PROCESS) -> dict[Path, list[int]]:
    """Checks all stages that are still to be trained, each kind once, the first to be trained first.

    Args:
        last: The last stage.
        distribution: The processes and devices that train together.

    Returns:
        Sizes of the embeddings of every stage's teachers, in order, by the path of the stage.

    Raises:
        UserError: Something is wrong in one of the recipes.
    """
    networks, sizes, checked = NetworkCache(), {}, {}
    for stage in in_order(last, to_do=True):
        if stage.recipe.member:
            continue
        kind = repr([dataclasses.replace(one.recipe, seed=0) for one in (stage, *stage.before)])
        if kind not in checked:
            checked[kind] = _check(stage, distribution, networks)
        sizes[stage.path] = checked[kind]
    return sizes


def _check(stage, distribution, networks):
    recipe, initial = stage.recipe, stage.initial
    distribution.check(recipe)
    if distribution.is_chief:
        tracking.check(recipe)
    if recipe.per_device:
        distribution.check(device_recipe(recipe))
    teachers = [runs[0].recipe for runs in stage.teachers]
    for entry, teacher in stage.named_teachers:
        own = run_folder.load(teacher.path).recipe
        teacher_runs.check_length(recipe, entry, own, teacher.recipe, networks)
    embedding_sizes = dry_run.check(recipe, teachers, networks)
    if recipe.quantise:
        classes = len(dry_run.classes_without_data(recipe))
        qat.check(networks.network(recipe, classes, foldable=True), recipe.quantise.float_layers)
    if initial:
        initial_weights.check(recipe, initial.recipe, networks)
    return embedding_sizes
