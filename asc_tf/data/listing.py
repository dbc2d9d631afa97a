"""What does a dataset consist of: which files, of which class, device, city and split?"""

import csv
import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from asc_tf.data import held_out
from asc_tf.errors import UserError, nearest


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file of a dataset.

    file:   path below the dataset's root with forward slashes; names the clip everywhere.
    label:  one of the listing's classes.
    split:  "train" or "test".
    device, city: "" where unknown.
    group:  clips of one group (a location, a source recording) are never parted between
            training and validation; "" is a group of the file alone.
    """

    file: str
    label: str
    split: str
    device: str = ""
    city: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A dataset: its folder, its classes in the order of the network's outputs, its clips."""

    root: Path
    classes: tuple[str, ...]
    clips: tuple[Clip, ...]

    def of(self, split):
        """Positions in `clips` that belong to a split."""
        return [position for position, clip in enumerate(self.clips) if clip.split == split]


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
    clips = [listing.clips[position] for position in positions]
    groups = [clip.group or clip.file for clip in clips]
    rows = [(group, clip.label, clip.device) for group, clip in zip(groups, clips, strict=True)]
    held = held_out.choose(rows, share=share, seed=seed)
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


def read_table(file, columns, *, optional=(), delimiter="\t"):
    """Rows of a CSV file (or .csv.gz): a list of (line number, {column: value}).

    Raises UserError unless the table has all `columns`, a row, and a value in each of them; an
    `optional` column that is absent reads as "".
    """
    file = Path(file)
    try:
        with (gzip.open if file.suffix == ".gz" else open)(file, "rt", newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, delimiter=delimiter)
            places = _places(file, next(reader, []), columns, optional)
            rows = [(reader.line_num, {c: _cell(row, place) for c, place in places.items()}) for row in reader if row]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read as a table ({error}).") from error
    if not rows:
        raise UserError(f"{file}: the table has no rows.")
    for line, row in rows:
        if not all(row[column] for column in columns):
            raise UserError(f"{file}:{line}: a value is missing; each row needs {', '.join(columns)}.")
    return rows


def delimiter_of(file):
    """A tab where the first line has one, else a comma."""
    try:
        with open(file, encoding="utf-8-sig") as lines:
            return "\t" if "\t" in lines.readline() else ","
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as a table ({error}).") from error


def checked(listing, source):
    """The listing itself, or a UserError: a split without clips, an unknown label, a file twice or absent.

    source: the file or folder that a message should name.
    """
    known, seen = set(listing.classes), {}
    for clip in listing.clips:
        if clip.label not in known:
            guess = nearest(clip.label, listing.classes)
            raise UserError(f"{source}: {clip.file}: label '{clip.label}' is not known. {guess}")
        if clip.file in seen:
            raise UserError(f"{source}: '{clip.file}' is listed twice ({seen[clip.file]}, {clip.split}); keep one row.")
        seen[clip.file] = clip.split
    for split in ("train", "test"):
        if not listing.of(split):
            raise UserError(f"{source}: the {split} split has no clips.")
    absent = _absent(listing)
    if absent:
        raise UserError(
            f"{source}: names {len(absent)} file(s) that are absent below {listing.root}, the first is '{absent[0]}'. "
            "Unpack the missing archive, or take the rows out of the table."
        )
    return listing


def in_both_splits(listing, source):
    """The listing itself, or a UserError if a class has no clips to train on or none to test."""
    for split in ("train", "test"):
        lacking = sorted(set(listing.classes) - {listing.clips[position].label for position in listing.of(split)})
        if lacking:
            others = [label for label in listing.classes if label not in lacking]
            raise UserError(
                f"{source}: class '{lacking[0]}' has no clips in the {split} split. {nearest(lacking[0], others)}"
            )
    return listing


def _places(file, header, columns, optional):
    for column in columns:
        if column not in header:
            raise UserError(f"{file}: no column '{column}'. {nearest(column, header)}")
    return {column: header.index(column) if column in header else None for column in (*columns, *optional)}


def _cell(row, place):
    return row[place] if place is not None and place < len(row) else ""


def _absent(listing):
    """Files that do not exist; each folder is read once, which is faster than asking file by file."""
    below = {}
    absent = []
    for clip in listing.clips:
        folder, _, name = clip.file.rpartition("/")
        if folder not in below:
            below[folder] = _files_in(listing.root / folder)
        if name not in below[folder]:
            absent.append(clip.file)
    return absent


def _files_in(folder):
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except OSError:
        return frozenset()
