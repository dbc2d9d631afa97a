"""Which clips does a recipe train on, choose its weights by, and test?"""

import contextlib
import gc
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asc_tf.data.datasets.listing import validation_part
from asc_tf.data.prepared import shards
from asc_tf.distillation import hierarchy
from asc_tf.errors import UserError
from asc_tf.recipe import registry


def sample_rate_hz(recipe):
    return recipe.feature.settings["sample_rate_hz"]


def segment_samples(recipe):
    return round(sample_rate_hz(recipe) * recipe.data.segment_s)


@dataclass(frozen=True, eq=False)
class Data:
    """A recipe's clips, prepared: what is trained on, what chooses the weights, what is tested."""

    listing: object
    prepared: shards.PreparedClips
    train: np.ndarray  # rows of the prepared segments
    validation: np.ndarray
    test: np.ndarray

    @property
    def classes(self):
        return self.listing.classes

    def column(self, name, rows):
        """(rows,) of a field of the clips: "label" (but of multi-label data), "device", "city" or "file"."""
        return np.array(self._values(name, rows))

    def labels(self, rows):
        """(rows,) class numbers; of multi-label data (rows, classes) bool."""
        numbers = self.label_numbers(rows)
        return numbers if self.label_sets is None else self.label_sets[numbers]

    def label_numbers(self, rows):
        """(rows,) class numbers; of multi-label data numbers of rows of `label_sets`."""
        number = {label: index for index, label in enumerate(self._kinds)}
        return np.array([number[label] for label in self._values("label", rows)], np.int64)

    @cached_property
    def label_sets(self):
        """(sets, classes) bool of multi-label data, a row for each set of classes that occurs; None of other data.

        Clips share rows: (clips, classes) float32 would be 4 GB for AudioSet.
        """
        if not self.listing.multi_label:
            return None
        sets = np.zeros((len(self._kinds), len(self.classes)), bool)
        number = {label: index for index, label in enumerate(self.classes)}
        for row, names in enumerate(self._kinds):
            sets[row, [number[name] for name in names]] = True
        return sets

    @cached_property
    def _kinds(self):
        """What label numbers stand for."""
        return sorted(set(self.listing.label)) if self.listing.multi_label else self.classes

    def _values(self, name, rows):
        texts = getattr(self.listing, name)
        return [texts[position] for position in self.prepared.clip[rows].tolist()]

    def names(self, rows):
        """(rows,) texts that name a segment: its file and its second."""
        files = self.column("file", rows)
        return np.array([f"{file}#{second}" for file, second in zip(files, self.prepared.segment[rows], strict=True)])


def listing(recipe):
    """The recipe's dataset, its tables checked, no audio read."""
    return registry.entry("dataset", recipe.dataset.name)(**recipe.dataset.settings)


def classes(recipe):
    """The recipe's classes in order; the dataset's files are read only where they decide them."""
    return tuple(getattr(registry.module("dataset", recipe.dataset.name), "SCENES", ())) or listing(recipe).classes


def multi_label(recipe):
    """Whether a clip of the recipe's dataset may belong to several classes."""
    return getattr(registry.module("dataset", recipe.dataset.name), "MULTI_LABEL", False)


def load(recipe, *, quiet=False):
    """The recipe's dataset, prepared where it is not yet.  Raises UserError for anything that is wrong with it.

    A large set that is prepared is taken for unchanged where its folders are (see data/prepared/cache_key.py).
    """
    with _no_collection():
        clips = listing(recipe)
        _check_groups(recipe, clips.classes)
        train, validation = validation_part(clips, share=recipe.data.validation_share, seed=recipe.data.validation_seed)
        prepared = prepare(recipe, clips, quiet=quiet, thorough=False)
    parts = [np.flatnonzero(np.isin(prepared.clip, part)) for part in (train, validation, clips.positions("test"))]
    for name, rows, needed in zip(
        ("train", "validation", "test"), parts, (True, bool(len(validation)), True), strict=True
    ):
        if needed and not len(rows):
            raise UserError(f"{recipe.file}: the {name} split has no readable clips.")
    return Data(clips, prepared, *parts)


def _check_groups(recipe, classes):
    if recipe.hierarchy:
        try:
            hierarchy.membership(recipe.hierarchy.groups, classes)
        except UserError as error:
            raise UserError(f"{recipe.file}: {error}") from error


@contextlib.contextmanager
def _no_collection():
    """Python looks for garbage again and again while a million texts are read, and finds none: half of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def prepare(recipe, clips, *, quiet=False, thorough=True):
    return shards.prepare(
        clips,
        folder=recipe.data.prepared_folder,
        sample_rate_hz=sample_rate_hz(recipe),
        segment_s=recipe.data.segment_s,
        max_bad_share=recipe.data.max_bad_share,
        quiet=quiet,
        thorough=thorough,
    )
