"""Lists of labelled clips, which every dataset is, and the validation split that is drawn from them."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

from asc_tf.data.datasets import audio_files, group_split
from asc_tf.errors import UserError, nearest, printable

_CONTROL = ("Cc", "Cs", "Zl", "Zp")  # categories of characters that labels.txt cannot hold in one line of UTF-8


class Clip(NamedTuple):
    """One audio file of a dataset.

    Args:
        file: Path below the dataset's root, with forward slashes; identifies the clip everywhere.
        label: One of the listing's classes; in a multi-label listing a tuple of one or more.
        split: "train" or "test"; "validation" where the dataset has a validation split of its own.
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
        split: (clips,) "train", "validation" or "test".
        device: (clips,) devices.
        city: (clips,) cities.
        group: (clips,) groups.
        passed_over: {reason: number of files} of what is below the root and not among the clips.
        notes: What was assumed or matched by a rule, a phrase each.
    """

    root: Path
    classes: tuple[str, ...]
    file: tuple[str, ...]
    label: tuple[str, ...] | tuple[tuple[str, ...], ...]
    split: tuple[str, ...]
    device: tuple[str, ...]
    city: tuple[str, ...]
    group: tuple[str, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def from_clips(cls, root: Path, classes: tuple[str, ...], clips: Sequence[Clip], **told: Any) -> "Listing":
        """The listing of some clips; told: `passed_over` and `notes`."""
        columns = zip(*clips, strict=True) if clips else [()] * len(Clip._fields)
        return cls(root, classes, *columns, **told)

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
        """Positions of the clips of a split, "train", "validation" or "test", ascending."""
        return list(compress(range(len(self)), map(split.__eq__, self.split)))

    @property
    def summary(self) -> str:
        """One line: the number of files and classes, what was passed over by reason, and the notes."""
        recordings = f"recordings: {len(self):,} files of {len(self.classes)} classes"
        passed_over = audio_files.passed_over_phrase(self.passed_over)
        return printable("; ".join(filter(None, [recordings, passed_over, *self.notes])))


def validation_part(listing: Listing, *, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Divides the training split into training and validation by groups.

    A validation split of the dataset's own is taken as it is. Otherwise validation is as near to `share` of each class
    (and of each device within it) as the groups allow. A class of one group stays in training; any other has at least
    one group in validation.

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
    positions, own = listing.positions("train"), listing.positions("validation")
    if own or share == 0:
        return positions, own
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
        UserError: A class's name has control characters, a label is unknown, a file is listed twice, or a split has no
            clips.
    """
    for label in listing.classes:
        if any(unicodedata.category(character) in _CONTROL for character in label):
            rule = "has line breaks, control characters or bytes that are not UTF-8"
            raise UserError(f"{source}: the class name {ascii(label)} {rule}; rename it.")
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
