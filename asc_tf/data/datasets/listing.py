"""Lists of labelled clips, which every dataset is, and the validation split that is drawn from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import NamedTuple

from asc_tf.data.datasets import group_split
from asc_tf.errors import UserError, nearest


class Clip(NamedTuple):
    """One audio file of a dataset.

    Args:
        file: Path below the dataset's root, with forward slashes; identifies the clip everywhere.
        label: One of the listing's classes; in a multi-label listing a tuple of one or more.
        split: "train" or "test".
        device: Recording device, "" where unknown.
        city: City, "" where unknown.
        group: Location, source recording or the like: clips of one group are never split between training and
            validation. "" is a group of this clip alone.
    """

    file: str
    label: str | tuple[str, ...]
    split: str
    device: str = ""
    city: str = ""
    group: str = ""


@dataclass(frozen=True)
class Listing:
    """The clips of a dataset, column by column.

    Columns of text, rather than an object a clip: 230,350 clips are listed in a second. They are those of Clip.

    Args:
        root: Folder of the dataset.
        classes: Names of the classes in the order of the network's outputs.
        file: (clips,) paths below the root.
        label: (clips,) classes; in a multi-label listing (clips,) tuples of classes.
        split: (clips,) "train" or "test".
        device: (clips,) devices.
        city: (clips,) cities.
        group: (clips,) groups.
    """

    root: Path
    classes: tuple[str, ...]
    file: tuple[str, ...]
    label: tuple[str, ...] | tuple[tuple[str, ...], ...]
    split: tuple[str, ...]
    device: tuple[str, ...]
    city: tuple[str, ...]
    group: tuple[str, ...]

    @classmethod
    def from_clips(cls, root: Path, classes: tuple[str, ...], clips: Sequence[Clip]) -> "Listing":
        """The listing of some clips."""
        columns = zip(*clips, strict=True) if clips else [()] * len(Clip._fields)
        return cls(root, classes, *columns)

    def __len__(self):
        return len(self.file)

    @property
    def multi_label(self) -> bool:
        """Whether a clip may belong to several classes."""
        return isinstance(next(iter(self.label), None), tuple)

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """The clips one by one."""
        return tuple(map(Clip, self.file, self.label, self.split, self.device, self.city, self.group))

    def positions(self, split: str) -> list[int]:
        """Positions of the clips of a split, "train" or "test", ascending."""
        return list(compress(range(len(self)), map(split.__eq__, self.split)))


def validation_part(listing: Listing, *, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Divides the training split into training and validation by groups.

    Validation is as near to `share` of each class (and of each device within it) as the groups allow. A class of one
    group stays in training; any other has at least one group in validation.

    Args:
        listing: The clips.
        share: Share for validation, at least 0 and below 1.
        seed: The same seed chooses the same groups.

    Returns:
        Positions of the training clips and of the validation clips, both ascending.

    Raises:
        UserError: The share is out of range, or every class has one group only.
    """
    if not 0 <= share < 1:
        raise UserError(f"data.validation_share = {share} must be at least 0 and below 1.")
    positions = listing.positions("train")
    if share == 0:
        return positions, []
    columns = (listing.group, listing.file, listing.label, listing.device)
    groups, files, labels, devices = (map(column.__getitem__, positions) for column in columns)
    if listing.multi_label:
        groups = list(files)
        chosen = group_split.choose_clips(groups, list(labels), share=share, seed=seed)
    else:
        groups = [group or file for group, file in zip(groups, files, strict=True)]
        chosen = group_split.choose_groups(zip(groups, labels, devices, strict=True), share=share, seed=seed)
    if not chosen:
        raise UserError(
            f"data.validation_share = {share}: every class of {listing.root} has one group of training clips only, "
            "so none can be held out. Set data.validation_share = 0, or give the clips more groups."
        )
    parts = [], []
    for position, group in zip(positions, groups, strict=True):
        parts[group in chosen].append(position)
    return parts


def existing_folder(path: Path | str, setting: str, fix: str) -> Path:
    """The folder that a recipe names.

    Args:
        path: The folder.
        setting: Key of the recipe that names it, for the message.
        fix: The fix, for the message.

    Raises:
        UserError: There is no such folder.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(f"{setting} = '{path}': there is no such folder. {fix}")
    return folder


def check_listing(listing: Listing, source: Path | str) -> Listing:
    """Checks labels, files and splits of a listing; whether the files exist is checked when they are prepared.

    Args:
        listing: The clips.
        source: File or folder that a message names.

    Returns:
        The listing itself.

    Raises:
        UserError: A label is unknown, a file is listed twice, or a split has no clips.
    """
    unknown = set(listing.label) - set(listing.classes)
    if unknown and not listing.multi_label:  # a table of several labels is checked cell by cell where it is read
        file, label = next(pair for pair in zip(listing.file, listing.label, strict=True) if pair[1] in unknown)
        raise UserError(f"{source}: {file}: label '{label}' is not known. {nearest(label, listing.classes)}")
    if len(set(listing.file)) < len(listing):
        raise UserError(f"{source}: {_listed_twice(listing)}; keep one row.")
    for split in ("train", "test"):
        if split not in listing.split:
            raise UserError(f"{source}: the {split} split has no clips.")
    return listing


def check_classes(listing: Listing, source: Path | str) -> Listing:
    """Checks that every class has clips in both splits.

    Args:
        listing: The clips.
        source: File or folder that a message names.

    Returns:
        The listing itself.

    Raises:
        UserError: A class has no clips to train on or none to test.
    """
    present = set(zip(listing.split, listing.label, strict=True))
    for split in ("train", "test"):
        absent = [label for label in sorted(listing.classes) if (split, label) not in present]
        if absent:
            others = [label for label in listing.classes if label not in absent]
            raise UserError(
                f"{source}: class '{absent[0]}' has no clips in the {split} split. {nearest(absent[0], others)}"
            )
    return listing


def _listed_twice(listing):
    first = {}
    for file, split in zip(listing.file, listing.split, strict=True):
        if file in first:
            return f"'{file}' is listed twice ({first[file]}, {split})"
        first[file] = split
