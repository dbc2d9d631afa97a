"""Cache of untrained networks that the checks before training share, each built once."""

import keras

from asc_tf import build
from asc_tf.recipe.schema import Recipe


class NetworkCache:
    """Untrained networks of recipes, built when they are asked for and reused."""

    def __init__(self):
        self._networks = {}

    def network(self, recipe: Recipe, classes: int, *, foldable: bool = False) -> keras.Model:
        """The network of a recipe, with initial weights of any seed.

        Args:
            recipe: The recipe.
            classes: Number of classes.
            foldable: As for build.network.
        """
        key = repr((recipe.model, recipe.feature, recipe.data.segment_s, classes, foldable))
        if key not in self._networks:
            self._networks[key] = build.network(recipe, classes, foldable=foldable)
        return self._networks[key]
