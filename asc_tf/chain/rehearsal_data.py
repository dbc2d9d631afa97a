"""Small datasets for a rehearsal: some clips of every dataset or, where it is absent, made-up ones of its format."""

import dataclasses
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from asc_tf import dataset
from asc_tf.chain.plan import Sizes
from asc_tf.data import audio
from asc_tf.data.datasets import audioset, esc, made_up
from asc_tf.data.datasets.listing import Listing, validation_part
from asc_tf.data.prepared import shards
from asc_tf.data.synthetic import audioset_tree, esc_tree, impulse_responses
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.export.quantisation import calibration
from asc_tf.recipe import registry
from asc_tf.recipe.schema import Part, Recipe

CLIPS = {"train": 96, "validation": 32, "test": 48}  # of one second in a small dataset, fewer of longer ones
FEWEST = 4
MADE_UP = {"train_clips": 120, "test_clips": 60}
SEED = 1
WORKERS_S = 4.0  # until worker processes have started
PROBED = 20  # files whose length is looked at


@dataclass(frozen=True)
class Preparation:
    """What the preparation of a whole dataset at one rate will take in the real run.

    Args:
        name: Name of the dataset, its folder and the rate.
        files: Files that are prepared; 0 where that is done.
        seconds: Seconds that it takes.
        bytes: Bytes of the prepared clips.
    """

    name: str
    files: int
    seconds: float
    bytes: int


class RehearsalData:
    """Small datasets in a scratch folder, and the sizes of the whole ones.

    Args:
        scratch: Folder of all that is written.

    Attributes:
        notes: What is absent and was made up, a line each.
        measured: What was measured of the rehearsed stages, by the paths of their runs.
    """

    def __init__(self, scratch: Path):
        self.scratch, self.notes, self.measured = scratch, [], {}
        self._listings, self._loaded, self._sizes, self._file_s = {}, {}, {}, {}

    def sizes(self, recipe: Recipe) -> Sizes:
        """Number of segments of the whole dataset; of an absent one those of the official set.

        Args:
            recipe: The recipe.

        Raises:
            UserError: Something is wrong with its tables, or the number of clips of an absent dataset is not known.
        """
        key = _key(recipe)
        if key not in self._sizes:
            listing, present = self._listing(recipe)
            self._sizes[key] = _whole(recipe, listing) if present else _expected(recipe)
        return self._sizes[key]

    def preparation(self, recipe: Recipe) -> Preparation:
        """What the preparation of a recipe's whole dataset will take.

        Args:
            recipe: The recipe, whose small dataset has been loaded.
        """
        listing, present = self._listing(recipe)
        rate_hz, section = dataset.sample_rate_hz(recipe), recipe.data
        where = {"folder": section.prepared_folder, "sample_rate_hz": rate_hz, "segment_s": section.segment_s}
        name = f"{recipe.dataset.name} ({recipe.dataset.settings['root']}) at {rate_hz:,} Hz"
        if section.read == "direct" or present and shards.prepared_set(listing, **where).complete:
            return Preparation(name, 0, 0.0, 0)
        files = len(listing) if present else sum(_expected_clips(recipe).values())
        segments = sum(dataclasses.astuple(self.sizes(recipe)))
        seconds = files * self._file_s[dataset.prepared_key(recipe)] / os.cpu_count() + WORKERS_S
        return Preparation(name, files, seconds, 2 * segments * dataset.segment_samples(recipe))

    def classes(self, recipe: Recipe) -> tuple[str, ...]:
        """Names of the classes of a recipe's dataset."""
        return dataset.known_classes(recipe) or self._listing(recipe)[0].classes

    def load(self, recipe: Recipe, *, quiet: bool = False) -> LoadedDataset:
        """The small dataset of a recipe, prepared.

        Args:
            recipe: The recipe.
            quiet: Whether nothing is printed.
        """
        key = dataset.prepared_key(recipe)
        if key not in self._loaded:
            listing, _ = self._listing(recipe)
            start_s = time.monotonic()
            self._loaded[key] = _small(recipe, listing, self.scratch / "prepared")
            self._file_s[key] = (time.monotonic() - start_s) / len(self._loaded[key].listing)
        return self._loaded[key]

    def with_responses(self, recipe: Recipe) -> Recipe:
        """The recipe with made-up impulse responses where a folder of them is absent.

        Args:
            recipe: The recipe.
        """
        return dataclasses.replace(recipe, augmentation=tuple(map(self._with_responses, recipe.augmentation)))

    def _with_responses(self, part: Part) -> Part:
        folder = part.settings.get("folder")
        if not folder or Path(folder).is_dir():
            return part
        self._note(f"augmentation.{part.name}.folder = '{folder}' is absent: made-up impulse responses instead")
        responses = self.scratch / "responses"
        if not responses.is_dir():
            impulse_responses.write(responses, seed=SEED)
        return Part(part.name, part.settings | {"folder": str(responses)})

    def _listing(self, recipe: Recipe) -> tuple[Listing, bool]:
        """Clips of the recipe's dataset, and whether these are its own."""
        key = _key(recipe)
        if key not in self._listings:
            present = _present(recipe)
            self._listings[key] = (dataset.listing(recipe) if present else self._made_up(recipe)), present
        return self._listings[key]

    def _made_up(self, recipe: Recipe) -> Listing:
        name, settings = recipe.dataset.name, recipe.dataset.settings
        if name not in MAKERS:  # the user's own folder, of which nothing is known
            return dataset.listing(recipe)
        if name != "made_up":
            self._note(f"dataset.root = '{settings['root']}' is absent: made-up clips of the format of {name} instead")
        return MAKERS[name](self.scratch / name, settings)

    def _note(self, text):
        if text not in self.notes:
            self.notes.append(text)


def _key(recipe):
    return repr((recipe.dataset, recipe.data))


def _present(recipe):
    if recipe.dataset.name == "made_up":
        return made_up.tree_folder(**recipe.dataset.settings).is_dir()
    return Path(recipe.dataset.settings["root"]).expanduser().is_dir()


def _scenes(folder: Path, settings: dict[str, Any]) -> Listing:
    return made_up.listing(root=str(folder), **MADE_UP)


def _audioset(folder: Path, settings: dict[str, Any]) -> Listing:
    if not folder.is_dir():
        audioset_tree.write(folder, balanced_clips=48, unbalanced_clips=48, eval_clips=24, seed=SEED)
    return audioset.listing(root=str(folder), train=settings["train"])


def _esc(folder: Path, settings: dict[str, Any]) -> Listing:
    if not folder.is_dir():
        esc_tree.write(folder, seed=SEED)
    return esc.listing(root=str(folder), **{key: value for key, value in settings.items() if key != "root"})


# dataset -> function (folder, settings) to clips of its format
MAKERS: dict[str, Callable] = {"tau": _scenes, "made_up": _scenes, "audioset": _audioset, "esc": _esc}


def _whole(recipe, listing):
    """Sizes of a dataset that is there, by the lengths of some of its files."""
    train, validation = validation_part(listing, share=recipe.data.validation_share, seed=recipe.data.validation_seed)
    segments = _segments_a_file(recipe, listing)
    return Sizes(*(round(segments * len(part)) for part in (train, validation, listing.positions("test"))))


def _segments_a_file(recipe, listing):
    step = max(1, len(listing) // PROBED)
    counts = []
    for file in listing.file[::step]:
        try:
            seconds = soundfile.info(os.fsencode(listing.root / file)).duration
        except (OSError, soundfile.LibsndfileError):
            continue  # what cannot be read is found, and reported, when the clips are prepared
        if seconds > audio.LONGEST_S:
            continue  # a header without a length
        counts.append(max(1, math.floor(seconds / recipe.data.segment_s + 0.5)))
    return float(np.mean(counts)) if counts else 1.0


def _expected_clips(recipe):
    return registry.module("dataset", recipe.dataset.name).expected_clips(**recipe.dataset.settings)


def _expected(recipe):
    clips = _expected_clips(recipe)
    validation = round(recipe.data.validation_share * clips["train"])
    return Sizes(clips["train"] - validation, validation, clips["test"])


def _small(recipe, listing, folder):
    """Some clips of every split, of all classes and devices in turn, prepared."""
    train, validation = validation_part(listing, share=recipe.data.validation_share, seed=recipe.data.validation_seed)
    splits = {"train": train, "validation": validation, "test": listing.positions("test")}
    counts = {name: max(FEWEST, round(count / recipe.data.segment_s)) for name, count in CLIPS.items()}
    chosen = {name: _choose(listing, positions, counts[name]) for name, positions in splits.items()}
    order = [position for positions in chosen.values() for position in positions]
    small = Listing.from_clips(listing.root, listing.classes, [_clip(listing, position) for position in order])
    share = max(0.5, recipe.data.max_bad_share)  # of a few clips, the share says little
    section = dataclasses.replace(recipe.data, prepared_folder=str(folder), max_bad_share=share)
    prepared = dataset.prepare(dataclasses.replace(recipe, data=section), small, workers=1, quiet=True)
    ends = np.cumsum([0, *map(len, chosen.values())])
    rows = [np.flatnonzero((prepared.clip >= a) & (prepared.clip < b)) for a, b in zip(ends, ends[1:], strict=False)]
    if not len(rows[0]):
        raise UserError(f"{recipe.file}: the train split has no readable clips.")
    return LoadedDataset(small, prepared, *rows)


def _clip(listing, position):
    return tuple(getattr(listing, name)[position] for name in ("file", "label", "split", "device", "city", "group"))


def _choose(listing, positions, count):
    if not positions:
        return []
    labels = np.array([str(listing.label[position]) for position in positions])
    devices = np.array([listing.device[position] for position in positions])
    return [positions[index] for index in calibration.select_clips(labels, devices, count=count, seed=SEED)]
