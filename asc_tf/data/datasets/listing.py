"""What does a dataset consist of: which files, of which class, device, city and split?"""

from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import NamedTuple

from asc_tf.data.datasets import group_split as held_out
from asc_tf.errors import UserError, nearest


class Clip(NamedTuple):
    """One audio file of a dataset.

    file:   path below the dataset's root with forward slashes; names the clip everywhere.
    label:  one of the listing's classes; of a multi-label listing a tuple of one or more.
    split:  "train" or "test".
    device, city: "" where unknown.
    group:  clips of one group (a location, a source recording) are never parted between
            training and validation; "" is a group of the file alone.
    """

    file: str
    label: str | tuple[str, ...]
    split: str
    device: str = ""
    city: str = ""
    group: str = ""


@dataclass(frozen=True)
class Listing:
    """A dataset: its folder, its classes in the order of the network's outputs, and its clips, column by column.

    Columns, each a tuple of texts, rather than an object a clip: 230,350 clips are listed in a second.
    Of a multi-label listing, `label` is a tuple of tuples.
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
    def from_clips(cls, root, classes, clips):
        """The listing of some Clips."""
        columns = zip(*clips, strict=True) if clips else [()] * len(Clip._fields)
        return cls(root, classes, *columns)

    def __len__(self):
        return len(self.file)

    @property
    def multi_label(self):
        """Whether a clip may belong to several classes."""
        return isinstance(next(iter(self.label), None), tuple)

    @cached_property
    def clips(self):
        """The Clips one by one."""
        return tuple(map(Clip, self.file, self.label, self.split, self.device, self.city, self.group))

    def of(self, split):
        """Positions of the clips that belong to a split."""
        return list(compress(range(len(self)), map(split.__eq__, self.split)))


def validation_part(listing, *, share, seed):
    """(training positions, validation positions) of the training split, both ascending.

    Held out by group, the same for the same seed, as near to `share` of each class (and of each device
    within it) as the groups allow.  A class of one group stays in training whole; any other gives at
    least one group.  Raises UserError where no class can give one.
    """
    if not 0 <= share < 1:
        raise UserError(f"data.validation_share = {share} must be at least 0 and below 1.")
    positions = listing.of("train")
    if share == 0:
        return positions, []
    columns = (listing.group, listing.file, listing.label, listing.device)
    groups, files, labels, devices = (map(column.__getitem__, positions) for column in columns)
    if listing.multi_label:
        groups = list(files)
        held = held_out.choose_clips(groups, list(labels), share=share, seed=seed)
    else:
        groups = [group or file for group, file in zip(groups, files, strict=True)]
        held = held_out.choose(zip(groups, labels, devices, strict=True), share=share, seed=seed)
    if not held:
        raise UserError(
            f"data.validation_share = {share}: every class of {listing.root} has one group of training clips only, "
            "so none can be held out. Set data.validation_share = 0, or give the clips more groups."
        )
    parts = [], []
    for position, group in zip(positions, groups, strict=True):
        parts[group in held].append(position)
    return parts


def existing_folder(path, setting, fix):
    """The folder a recipe names, or a UserError that says which setting is wrong and how to mend it."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(f"{setting} = '{path}': there is no such folder. {fix}")
    return folder


def checked(listing, source):
    """The listing itself, or a UserError: a split without clips, an unknown label, a file twice.

    source: the file or folder that a message should name.
    Whether the files are there is seen when they are prepared: each is looked at once.
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


def in_both_splits(listing, source):
    """The listing itself, or a UserError if a class has no clips to train on or none to test."""
    there = set(zip(listing.split, listing.label, strict=True))
    for split in ("train", "test"):
        lacking = [label for label in sorted(listing.classes) if (split, label) not in there]
        if lacking:
            others = [label for label in listing.classes if label not in lacking]
            raise UserError(
                f"{source}: class '{lacking[0]}' has no clips in the {split} split. {nearest(lacking[0], others)}"
            )
    return listing


def _listed_twice(listing):
    first = {}
    for file, split in zip(listing.file, listing.split, strict=True):
        if file in first:
            return f"'{file}' is listed twice ({first[file]}, {split})"
        first[file] = split
