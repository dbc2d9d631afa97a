"""The dataset AudioSet, with several labels a clip, as far as its clips could be downloaded.

Source: Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events", ICASSP 2017.
Input:  the official balanced_train_segments.csv, unbalanced_train_segments.csv and eval_segments.csv (22,160,
        2,041,789 and 20,371 rows: three lines of comment, then `YTID, start, end, "mid,mid"`) with
        class_labels_indices.csv (index,mid,display_name), and audio files in folders of any layout.
Names:  YTID.wav or YYTID.wav, also followed by _START or _START_END (or -END), in seconds or milliseconds, as the
        usual programs write them; .flac and the like too. A table has every video once: the times decide nothing.

Many videos are no longer available: clips without a file are counted on stderr and left out.
"""

import os
import re
import sys
from typing import Any, Literal

from asc_tf.data.audio import EXTENSIONS
from asc_tf.data.datasets.csv_table import read_table
from asc_tf.data.datasets.listing import Listing, check_listing, existing_folder
from asc_tf.errors import UserError

MULTI_LABEL = True
TABLES = ("class_labels_indices.csv",)  # by which a folder is recognised as this dataset
TRAIN = {
    "balanced": ("balanced_train",),
    "unbalanced": ("unbalanced_train",),
    "both": ("balanced_train", "unbalanced_train"),
}
_ROWS = {"balanced_train": 22_160, "unbalanced_train": 2_041_789, "eval": 20_371}  # of the official tables
_VIDEO, _SECONDS = r"([\w-]{11})", r"\d+(?:\.\d+)?"
_ROW = re.compile(rf'{_VIDEO}, *{_SECONDS}, *{_SECONDS}, *"([^"]+)"\s*', re.ASCII)
_NAME = re.compile(rf"Y?{_VIDEO}(?:_{_SECONDS}(?:[_-]{_SECONDS})?)?(\.\w+)", re.ASCII)


def listing(
    *,
    root: str,
    train: Literal["balanced", "unbalanced", "both"],
    audio_folder: str = "",
    max_missing_share: float = 0.3,
) -> Listing:
    """Lists the clips that have a file, each with all of its classes; eval_segments is the test split.

    The classes are the display names in the order of class_labels_indices.csv. Of two files of a video the first by
    path is taken.

    Args:
        root: Folder of the tables.
        train: Tables of the training split.
        audio_folder: Folder below root; it is searched at any depth.
        max_missing_share: Share of a table's rows that may have no file, 0 to 1.

    Raises:
        UserError: A table is wrong (file and line are named), or too many clips have no file.
    """
    folder = existing_folder(root, "dataset.root", "Name the folder that holds AudioSet's tables.")
    audio = existing_folder(folder / audio_folder, "dataset.audio_folder", "Name a folder below dataset.root.")
    names, file_of = _classes(folder / "class_labels_indices.csv"), _files(audio)
    files, labels, splits = [], [], []
    for split, tables in (("train", TRAIN[train]), ("test", ("eval",))):
        for name in tables:
            clips = _clips(folder / f"{name}_segments.csv", names, file_of, max_missing_share)
            files += [file for file, _ in clips]
            labels += [label for _, label in clips]
            splits += [split] * len(clips)
    unknown = ("",) * len(files)
    columns = tuple(files), tuple(labels), tuple(splits), *[unknown] * 3
    return check_listing(Listing(audio, tuple(names.values()), *columns), folder)


def expected_clips(**settings: Any) -> dict[str, int]:
    """Number of rows of the official tables; about this many clips less those that are no longer available.

    Args:
        settings: Those of `listing`; the tables of the training split decide.

    Returns:
        {"train": clips, "test": clips}, before validation clips are taken from the training split.
    """
    return {"train": sum(_ROWS[name] for name in TRAIN[settings["train"]]), "test": _ROWS["eval"]}


def _classes(table):
    """{mid: display name} in the order of the classes."""
    lines, numbers, mids, names = read_table(table, ("index", "mid", "display_name"))
    for index, (line, number) in enumerate(zip(lines, numbers, strict=True)):
        if number != str(index):
            raise UserError(f"{table}:{line}: index '{number}' where {index} must follow; take the official table.")
    for column in (mids, names):
        if len(set(column)) < len(column):
            twice = next(text for index, text in enumerate(column) if text in column[:index])
            raise UserError(f"{table}: '{twice}' is there twice; take the official table.")
    return dict(zip(mids, names, strict=True))


def _files(audio):
    """{video: its file below `audio`}, from the lists of folders alone, without a look at the files."""
    file_of = {}
    for parent, _, names in os.walk(audio):
        below = os.path.relpath(parent, audio).replace(os.sep, "/")
        prefix = "" if below == "." else f"{below}/"
        for name, match in zip(names, map(_NAME.fullmatch, names), strict=True):
            if match and match[2].lower() in EXTENSIONS:
                file = prefix + name
                file_of[match[1]] = min(file_of.get(match[1], file), file)
    return file_of


def _clips(table, classes, file_of, max_missing_share):
    """[(file, labels)] of the rows of a table that have a file; the number of the others is printed."""
    rows = _rows(table, classes)
    clips = [(file_of[video], labels) for video, labels in rows.items() if video in file_of]
    missing = len(rows) - len(clips)
    share = missing / len(rows)
    summary = f"{missing:,} of {len(rows):,} clips have no file ({share:.1%})"
    if share > max_missing_share:
        first = next(video for video in rows if video not in file_of)
        fix = f"Fetch them, set dataset.audio_folder, or raise dataset.max_missing_share = {max_missing_share}"
        raise UserError(f"{table}: {summary}, the first is '{first}'. {fix}.")
    if missing:
        print(f"audioset: {table.name}: {summary} and are left out", file=sys.stderr)
    return clips


def _rows(table, classes):
    """{video: its classes} in the order of the table; clips of equal labels share one tuple."""
    rows, known = {}, {}
    for number, line in _lines(table):
        match = _ROW.fullmatch(line)
        if not match:
            raise UserError(f"{table}:{number}: {_fault(line)}")
        video, mids = match.groups()
        if video in rows:
            raise UserError(f"{table}:{number}: video '{video}' is listed twice; keep one row.")
        if mids not in known:
            known[mids] = _display_names(mids, classes, f"{table}:{number}")
        rows[video] = known[mids]
    if not rows:
        raise UserError(f"{table}: the table has no rows; take the official one.")
    return rows


def _lines(table):
    """(line number, text) of all lines but the comments of the head and empty ones."""
    try:
        with open(table, encoding="utf-8-sig") as lines:
            head = True
            for number, line in enumerate(lines, start=1):
                head = head and line.startswith("# ")  # further down it would be an error, not a comment
                if not head and line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{table}: cannot be read as a table ({error}); put the official one there.") from error


def _fault(line):
    if line.startswith("#NAME?"):
        return "a spreadsheet has changed this table (IDs that begin with - were sums to it); take the official one."
    rule = '`YTID, start, end, "mid,mid"` with an ID of 11 characters'
    return f"'{line.strip()[:60]}' is not {rule}; take the official table."


def _display_names(mids, classes, where):
    unknown = [mid for mid in mids.split(",") if mid not in classes]
    if unknown:
        raise UserError(f"{where}: class '{unknown[0]}' is not in class_labels_indices.csv; are they of one version?")
    return tuple(classes[mid] for mid in mids.split(","))
