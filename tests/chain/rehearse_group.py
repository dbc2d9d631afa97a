"""Rehearses shipped recipes one after the other, in a process that gives all its memory back at its end.

Run:     python rehearse_group.py FOLDER [--full-size] RECIPE ...

FOLDER is empty. To save time, TensorFlow executes its functions without making graphs of them, batches and datasets
are of a few clips, as little as possible is measured, and [quantise] is left out where the kind of network and the way
of quantising are those of a stage before. The recipes have their small settings where there are any; with --full-size
they have the published networks and begin with random weights, since a stage on AudioSet would be one more step of the
same network.
"""

import argparse
import dataclasses
from pathlib import Path

import tensorflow as tf

from asc_tf.chain import rehearsal_data
from asc_tf.chain.rehearse import rehearse
from asc_tf.recipe import resolve

CLIPS = {"train": 24, "validation": 10, "test": 12}  # of one second
MADE_UP = {"train_clips": 60, "test_clips": 60}
BATCH_SIZE = 2  # 1 at full size
CALIBRATION_CLIPS = 8


class FewClips(rehearsal_data.RehearsalData):
    """Small datasets, and stages with small batches that quantise each kind of network once in the same way."""

    def __init__(self, scratch, batch_size):
        super().__init__(scratch)
        self.batch_size, self.quantised = batch_size, set()

    def with_responses(self, recipe):
        recipe = super().with_responses(recipe)
        quantise = recipe.quantise
        way = quantise and (recipe.model.name, quantise.method, quantise.distil_from, *quantise.float_layers)
        if quantise and way in self.quantised:
            quantise = None
        elif quantise:
            quantise = dataclasses.replace(quantise, calibration_clips=CALIBRATION_CLIPS)
        self.quantised.add(way)
        train = dataclasses.replace(recipe.train, batch_size=min(recipe.train.batch_size, self.batch_size))
        return dataclasses.replace(recipe, train=train, quantise=quantise)


def load(name, full_size):
    """A shipped recipe with its small settings where it has any, or of full size without its [init]."""
    if full_size:
        return dataclasses.replace(resolve.load(name), init=None)
    return resolve.load(name, small=resolve.find(name).with_name(resolve.SMALL).is_file())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    tf.config.run_functions_eagerly(True)  # a few steps take less time than their graphs
    rehearsal_data.CLIPS, rehearsal_data.MADE_UP = CLIPS, MADE_UP
    data, rehearsed = FewClips(options.folder / "scratch", 1 if options.full_size else BATCH_SIZE), set()
    recipes = [load(name, options.full_size) for name in options.names]
    for recipe in sorted(recipes, key=lambda one: -len(resolve.dependencies(one))):
        name = recipe.name
        if name in rehearsed:  # as a stage of another one
            continue
        rehearsed.update(one.name for one in [recipe, *resolve.dependencies(recipe)])
        estimates = rehearse(recipe, options.folder / "runs" / name, budget_s=0.0, data=data)
        assert all(one.seconds > 0 and one.steps > 0 and one.memory_bytes > 0 for one in estimates)
    assert not (options.folder / "runs").exists()


if __name__ == "__main__":
    main()
