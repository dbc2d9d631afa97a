"""Rehearses shipped recipes one after the other, in a process that gives all its memory back at its end.

Run:     python rehearse_group.py FOLDER RECIPE ...

FOLDER is empty. To save time, the recipes have their small settings where there are any, [quantise] is left out where
the network and the way of quantising are those of a recipe before it, the networks on AudioSet have a smaller batch,
and little is measured.
"""

import dataclasses
import sys
from pathlib import Path

from asc_tf.chain.rehearsal_data import RehearsalData
from asc_tf.chain.rehearse import rehearse
from asc_tf.errors import UserError
from asc_tf.recipe import resolve

SMALL_BATCH = ["*_audioset:train.batch_size=2"]


def load(name):
    """A shipped recipe with its small settings, if there are any."""
    small = resolve.find(name).with_name(resolve.SMALL).is_file()
    try:
        return resolve.load(name, SMALL_BATCH, small=small)
    except UserError:  # no recipe of the chain has such a name
        return resolve.load(name, small=small)


def main(folder, names):
    data, quantised, rehearsed = RehearsalData(folder / "scratch"), set(), set()
    for recipe in sorted(map(load, names), key=lambda one: -len(resolve.dependencies(one))):
        name = recipe.name
        if name in rehearsed:  # as a stage of another one
            continue
        rehearsed.update(one.name for one in [recipe, *resolve.dependencies(recipe)])
        way = repr((recipe.model, recipe.quantise))
        if recipe.quantise and way in quantised:
            recipe = dataclasses.replace(recipe, quantise=None)
        quantised.add(way)
        estimates = rehearse(recipe, folder / "runs" / name, budget_s=0.0, data=data)
        assert all(one.seconds > 0 and one.steps > 0 and one.memory_bytes > 0 for one in estimates)
    assert not (folder / "runs").exists()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
