"""Check of a recipe and of all that it depends on, before any hour is spent."""

from dataclasses import dataclass

from asc_tf import build
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.training import dry_run, initial_weights
from asc_tf.training.distribution import SINGLE_PROCESS, Distribution
from asc_tf.training.network_cache import NetworkCache
from export.quantisation import qat


@dataclass(frozen=True)
class Checked:
    """What the check of a recipe finds out.

    Args:
        teachers: Recipes of recipe.teacher, on the recipe's data.
        embedding_sizes: Size of the embedding of every teacher run that has one, in order.
    """

    teachers: list[Recipe]
    embedding_sizes: list[int]


def check(recipe: Recipe, distribution: Distribution = SINGLE_PROCESS, networks: NetworkCache | None = None) -> Checked:
    """Checks a recipe and all that it depends on.

    Args:
        recipe: The recipe.
        distribution: The processes and devices that train together.
        networks: The networks built so far.

    Raises:
        UserError: Something is wrong in one of the recipes.
    """
    networks = networks or NetworkCache()
    teachers = [build.teacher_recipe(recipe, resolve.referenced(recipe, teacher.recipe)) for teacher in recipe.teacher]
    for teacher in teachers:
        check(teacher, distribution, networks)
    distribution.check(recipe)
    embedding_sizes = dry_run.check(recipe, teachers, networks)
    if recipe.quantise:
        classes = len(dry_run.classes_without_data(recipe))
        qat.check(networks.network(recipe, classes, foldable=True), recipe.quantise.float_layers)
    if recipe.init:
        check(initial_weights.check(recipe, networks), distribution, networks)
    return Checked(teachers, embedding_sizes)
