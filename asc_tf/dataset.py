"""The dataset of a recipe: its clips, prepared, in training, validation and test splits."""

import contextlib
import dataclasses
import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from asc_tf.data import direct, fingerprint
from asc_tf.data.datasets.listing import Listing, validation_part
from asc_tf.data.direct import DirectClips
from asc_tf.data.prepared import remote, shards
from asc_tf.data.prepared.index import PreparedClips
from asc_tf.distillation import hierarchy
from asc_tf.errors import UserError
from asc_tf.recipe import registry
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import clip_record
from asc_tf.runs.clip_record import ClipEntry
from asc_tf.runs.folder import RunFolder


def sample_rate_hz(recipe: Recipe) -> int:
    """Sample rate at which the recipe's clips are prepared, in Hz: that of its front end."""
    return recipe.feature.settings["sample_rate_hz"]


def segment_samples(recipe: Recipe) -> int:
    """Samples of a segment."""
    return round(sample_rate_hz(recipe) * recipe.data.segment_s)


def prepared_key(recipe: Recipe) -> str:
    """Text that is equal for recipes of the same prepared clips and splits."""
    return repr((recipe.dataset, recipe.data, sample_rate_hz(recipe)))


def whole_steps(recipe: Recipe, segments: int) -> int:
    """Steps of an epoch: whole batches of the training split.

    Args:
        recipe: The recipe.
        segments: Number of training segments.

    Raises:
        UserError: They do not fill one batch.
    """
    steps = segments // recipe.train.batch_size
    if not steps:
        size = recipe.train.batch_size
        raise UserError(f"{recipe.file}: train.batch_size = {size} is more than the {segments} training clips.")
    return steps


@dataclass(frozen=True, eq=False)
class LoadedDataset:
    """A recipe's clips, prepared and split.

    Args:
        listing: The dataset's clips with labels, devices and cities.
        prepared: Their samples.
        train, validation, test: Rows of the prepared segments of each split. Validation chooses the weights.
    """

    listing: Listing
    prepared: PreparedClips | DirectClips
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the network's outputs."""
        return self.listing.classes

    def column(self, name: str, rows: np.ndarray) -> np.ndarray:
        """A field of the clips, (rows,) texts.

        Args:
            name: "label" (not of multi-label data), "device", "city", "file" or "group".
            rows: Rows of the prepared segments.
        """
        return np.array(self._values(name, rows))

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Class indices (rows,); of multi-label data (rows, classes) bool."""
        indices = self.label_indices(rows)
        return indices if self.label_sets is None else self.label_sets[indices]

    def label_indices(self, rows: np.ndarray) -> np.ndarray:
        """Class indices (rows,); of multi-label data indices of rows of `label_sets`."""
        index = {label: position for position, label in enumerate(self._distinct_labels)}
        return np.array([index[label] for label in self._values("label", rows)], np.int64)

    @cached_property
    def label_sets(self) -> np.ndarray | None:
        """Sets of classes that occur in multi-label data, (sets, classes) bool; None for other data.

        Clips share rows: (clips, classes) float32 would be 4 GB for AudioSet.
        """
        if not self.listing.multi_label:
            return None
        sets = np.zeros((len(self._distinct_labels), len(self.classes)), bool)
        index = {label: position for position, label in enumerate(self.classes)}
        for row, names in enumerate(self._distinct_labels):
            sets[row, [index[name] for name in names]] = True
        return sets

    @cached_property
    def _distinct_labels(self):
        """The labels that label indices count."""
        return sorted(set(self.listing.label)) if self.listing.multi_label else self.classes

    def _values(self, name, rows):
        texts = getattr(self.listing, name)
        return [texts[position] for position in self.prepared.clip[rows].tolist()]

    def of_device(self, device: str, *, or_all: Sequence[str] = ()) -> "LoadedDataset":
        """The segments of one recording device in each split.

        Args:
            device: Its name.
            or_all: Splits that stay whole where they have no segment of the device.
        """
        splits = {}
        for split in ("train", "validation", "test"):
            rows = getattr(self, split)
            inside = self.column("device", rows) == device
            splits[split] = rows[inside] if inside.any() or split not in or_all else rows
        return dataclasses.replace(self, **splits)

    def recordings(self, rows: np.ndarray) -> np.ndarray:
        """Recordings of segments, (rows,) texts: the group, as place or source; the file where there is none."""
        files, groups = self.column("file", rows), self.column("group", rows)
        return np.where(groups == "", np.char.add("file ", files), np.char.add("group ", groups))

    def names(self, rows: np.ndarray) -> np.ndarray:
        """Names of the segments, (rows,) texts: "file#second"."""
        files = self.column("file", rows)
        return np.array([f"{file}#{second}" for file, second in zip(files, self.prepared.segment[rows], strict=True)])


def listing(recipe: Recipe) -> Listing:
    """The recipe's dataset, its tables checked, no audio read."""
    return registry.entry("dataset", recipe.dataset.name)(**recipe.dataset.settings)


def data_folder(recipe: Recipe) -> Path | None:
    """The folder that `--data` takes to train other recipes on a made-up dataset; None for other datasets."""
    made = getattr(registry.module("dataset", recipe.dataset.name), "data_folder", None)
    return made(**recipe.dataset.settings) if made else None


def known_classes(recipe: Recipe) -> tuple[str, ...]:
    """Classes of the recipe's dataset where they are fixed, in order; else empty. Reads no file."""
    return tuple(getattr(registry.module("dataset", recipe.dataset.name), "SCENES", ()))


def classes(recipe: Recipe) -> tuple[str, ...]:
    """Classes of the recipe's dataset, in order; its files are read only where they define the classes."""
    return known_classes(recipe) or listing(recipe).classes


def multi_label(recipe: Recipe) -> bool:
    """Whether a clip of the recipe's dataset may belong to several classes."""
    return getattr(registry.module("dataset", recipe.dataset.name), "MULTI_LABEL", False)


def load(recipe: Recipe, *, quiet: bool = False) -> LoadedDataset:
    """Loads the recipe's dataset; prepares it where it is not yet.

    A large set that is prepared is taken for unchanged where its folders are (see data/prepared/cache_key.py).

    Args:
        recipe: The recipe.
        quiet: Whether nothing is printed.

    Raises:
        UserError: Anything is wrong with its tables or files.
    """
    with _no_garbage_collection():
        return _loaded(recipe, listing(recipe), quiet=quiet)


def load_checked(run: RunFolder, *, accept_data_change: bool = False) -> LoadedDataset:
    """Loads the dataset of a run after a check that it is still the one that the run was made from.

    Args:
        run: The run.
        accept_data_change: Whether other clips of the same classes are accepted, see runs/clip_record.py.

    Raises:
        UserError: As of `load`, or it is not.
    """
    with _no_garbage_collection():
        clips = listing(run.recipe)
        _check_record(run, clips, accept_data_change)
        return _loaded(run.recipe, clips)


def _loaded(recipe, clips, *, quiet=False):
    _check_groups(recipe, clips.classes)
    parts = _split_positions(recipe, clips)
    prepared = prepare(recipe, clips, quiet=quiet, thorough=False)
    splits = [np.flatnonzero(np.isin(prepared.clip, part)) for part in parts.values()]
    required = (True, bool(parts["validation"]), True)
    for name, rows, needed in zip(("train", "validation", "test"), splits, required, strict=True):
        if needed and not len(rows):
            raise UserError(f"{recipe.file}: the {name} split has no readable clips.")
    return LoadedDataset(clips, prepared, *splits)


def prepare(
    recipe: Recipe, clips: Listing, *, quiet: bool = False, thorough: bool = True, workers: int | None = None
) -> PreparedClips | DirectClips:
    """The recipe's clips, decoded and resampled where they are not prepared yet; of data.read = "direct" indexed only.

    Args:
        recipe: The recipe.
        clips: Its dataset.
        quiet: Whether nothing is printed.
        thorough: Whether every file is looked at; otherwise a large set is taken for unchanged where its folders are.
        workers: Processes that prepare; None for one a processor.
    """
    if not quiet:
        print(clips.summary, flush=True)
    section, rate_hz = recipe.data, sample_rate_hz(recipe)
    common = {"sample_rate_hz": rate_hz, "segment_s": section.segment_s, "max_bad_share": section.max_bad_share}
    if section.read == "direct":
        return direct.index(clips, audio_url=section.audio_url, quiet=quiet, **common)
    folder = section.prepared_folder
    prepare_in = remote.prepare if remote.is_address(folder) else shards.prepare
    return prepare_in(clips, folder=folder, quiet=quiet, thorough=thorough, workers=workers, **common)


def _split_positions(recipe, clips):
    """Positions in the listing of the clips of each split."""
    share, seed = recipe.data.validation_share, recipe.data.validation_seed
    train, validation = validation_part(clips, share=share, seed=seed)
    return {"train": train, "validation": validation, "test": clips.positions("test")}


def _clip_entries(recipe, clips):
    """{file: class, split and fingerprint of the clip}, as a run keeps them."""
    split_of = dict.fromkeys(range(len(clips)), "")
    for split, positions in _split_positions(recipe, clips).items():
        split_of |= dict.fromkeys(positions, split)
    labels = [",".join(label) for label in clips.label] if clips.multi_label else clips.label
    remote_audio = recipe.data.read == "direct" and recipe.data.audio_url
    prints = [""] * len(clips) if remote_audio else fingerprint.fingerprints(clips.root, clips.file)
    return dict(zip(clips.file, map(ClipEntry, labels, split_of.values(), prints), strict=True))


def write_record(run: RunFolder, clips: Listing) -> None:
    """Writes the clips of a run's dataset to its folder.

    Args:
        run: The run.
        clips: Its dataset.
    """
    clip_record.write(run, _clip_entries(run.recipe, clips))


def check_record(run: RunFolder, *, accept_data_change: bool = False) -> None:
    """Checks that a run's dataset is still the one that it was made from; reads no audio.

    Args:
        run: The run.
        accept_data_change: As of `load_checked`.

    Raises:
        UserError: It is not.
    """
    _check_record(run, listing(run.recipe), accept_data_change)


def _check_record(run, clips, accept):
    clip_record.check(run, clips.classes, _clip_entries(run.recipe, clips), accept=accept)


def _check_groups(recipe, classes):
    if recipe.hierarchy:
        try:
            hierarchy.membership(recipe.hierarchy.groups, classes)
        except UserError as error:
            raise UserError(f"{recipe.file}: {error}") from error


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Switches garbage collection off: with a million texts it takes half of the time and frees nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
