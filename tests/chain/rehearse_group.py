"""Rehearses shipped recipes one after the other, in a process that gives all its memory back at its end.

Run:     python rehearse_group.py FOLDER [--full-size] RECIPE ...

FOLDER is empty. To save time, TensorFlow does not optimise its graphs, as little as possible is measured, and
[quantise] is left out where the network and the way of quantising are those of a recipe before it. The recipes have
their small settings where there are any; with --full-size they have the published networks and batches of two clips.
"""

import argparse
import dataclasses
from pathlib import Path

import tensorflow as tf

from asc_tf.chain.rehearsal_data import RehearsalData
from asc_tf.chain.rehearse import rehearse
from asc_tf.errors import UserError
from asc_tf.recipe import resolve

SMALL_BATCH = ["*_audioset:train.batch_size=2"]
FULL_SIZE = ["*:train.batch_size=2", "*:data.validation_share=0.02"]


def load(name, full_size):
    """A shipped recipe with the settings of its rehearsal."""
    if full_size:
        return resolve.load(name, FULL_SIZE)
    small = resolve.find(name).with_name(resolve.SMALL).is_file()
    try:
        return resolve.load(name, SMALL_BATCH, small=small)
    except UserError:  # no recipe of the chain has such a name
        return resolve.load(name, small=small)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    # It takes a third of the time of a rehearsal, and a few steps gain nothing by it.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    data, quantised, rehearsed = RehearsalData(options.folder / "scratch"), set(), set()
    recipes = [load(name, options.full_size) for name in options.names]
    for recipe in sorted(recipes, key=lambda one: -len(resolve.dependencies(one))):
        name = recipe.name
        if name in rehearsed:  # as a stage of another one
            continue
        rehearsed.update(one.name for one in [recipe, *resolve.dependencies(recipe)])
        way = repr((recipe.model, recipe.quantise))
        if recipe.quantise and way in quantised:
            recipe = dataclasses.replace(recipe, quantise=None)
        quantised.add(way)
        estimates = rehearse(recipe, options.folder / "runs" / name, budget_s=0.0, data=data)
        assert all(one.seconds > 0 and one.steps > 0 and one.memory_bytes > 0 for one in estimates)
    assert not (options.folder / "runs").exists()


if __name__ == "__main__":
    main()
