"""A dataset in a user's folder: one sub-folder a class, audio files of any format.

Input:  root/CLASS/.../*.wav and the like; hidden files and files with other extensions are ignored.
Split:  by groups of files with a seed, or by a table with the columns filename and split.
"""

import os
import re
from pathlib import Path, PurePosixPath

from asc_tf.data.audio import EXTENSIONS
from asc_tf.data.datasets import group_split
from asc_tf.data.datasets.csv_table import delimiter_of, read_table
from asc_tf.data.datasets.listing import Clip, Listing, check_classes, check_listing, existing_folder
from asc_tf.errors import UserError


def listing(
    *, root: str, test_share: float = 0.2, seed: int = 1, split_csv: str = "", group_pattern: str = ""
) -> Listing:
    """Lists the audio files below a folder, with the classes in alphabetical order.

    Args:
        root: Folder with one sub-folder for each class.
        test_share: Share of each class's files for the test, above 0 and below 1, drawn by group: no group is in both
            splits.
        seed: Seed of the draw, at least 0.
        split_csv: Table that replaces the draw, with the columns filename (below root) and split (train or test), and
            device, city and group if known; commas or tabs. Files that are not in it are left out.
        group_pattern: Regular expression with one group in brackets, searched in the path below root, such as
            "(session[0-9]+)"; what it matches is the name of the file's group. Without it, the files of one sub-folder
            of a class are a group, and a file directly below its class is a group alone.

    Raises:
        UserError: There are fewer than two classes, a class has no audio or too few groups, or the table is wrong.
    """
    folder = existing_folder(root, "dataset.root", "Name a folder with one sub-folder for each class.")
    files = _files(folder)
    group_of = _grouping(group_pattern)
    if split_csv:
        table = Path(split_csv).expanduser()
        clips = list(_from_table(table, files, group_of))
        return check_classes(check_listing(Listing.from_clips(folder, tuple(files), clips), table), table)
    rows = [(file, label, group_of(file)) for label, names in files.items() for file in names]
    test_groups = _draw(folder, rows, test_share, seed)
    clips = [Clip(file, label, "test" if group in test_groups else "train", group=group) for file, label, group in rows]
    return check_listing(Listing.from_clips(folder, tuple(files), clips), folder)


def _files(folder):
    """{class: its audio files below `folder`, sorted}."""
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(classes) < 2:
        raise UserError(f"dataset.root = '{folder}': holds {len(classes)} sub-folder(s); two classes are the least.")
    files = {name: _audio_below(folder, name) for name in classes}
    for name, names in files.items():
        if not names:
            known = ", ".join(sorted(EXTENSIONS))
            raise UserError(f"{folder / name}: a class without audio files. Add some, or move it away; known: {known}.")
    return files


def _audio_below(folder, name):
    files = []
    for parent, folders, names in os.walk(folder / name):
        folders[:] = [below for below in folders if not below.startswith(".")]
        names = [file for file in names if not file.startswith(".") and Path(file).suffix.lower() in EXTENSIONS]
        files += [(Path(parent) / file).relative_to(folder).as_posix() for file in names]
    return sorted(files)


def _grouping(pattern):
    """A function from a file to its group."""
    if not pattern:
        return _default_group
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"dataset.group_pattern = '{pattern}' is not a regular expression ({error}).") from error
    if compiled.groups != 1:
        raise UserError(f"dataset.group_pattern = '{pattern}' must have one group in brackets, not {compiled.groups}.")

    def group_of(file):
        match = compiled.search(file)
        if not match or not match[1]:
            raise UserError(f"dataset.group_pattern = '{pattern}' matches nothing in '{file}'.")
        return match[1]

    return group_of


def _default_group(file):
    """The first sub-folder below the class, else the file without its extension; both with the class's name."""
    path = PurePosixPath(file)
    return "/".join(path.parts[:2]) if len(path.parts) > 2 else str(path.with_suffix(""))


def _draw(folder, rows, test_share, seed):
    """The groups of the test split."""
    if not 0 < test_share < 1:
        raise UserError(f"dataset.test_share = {test_share} must be above 0 and below 1; or give a dataset.split_csv.")
    if seed < 0:
        raise UserError(f"dataset.seed = {seed} must not be negative.")
    drawn = group_split.choose_groups([(group, label, "") for _, label, group in rows], share=test_share, seed=seed)
    for label in {label for _, label, _ in rows}:
        if len({group in drawn for _, other, group in rows if other == label}) < 2:
            raise UserError(
                f"{folder / label}: its groups cannot be divided into training and test. Add recordings, set another "
                "dataset.group_pattern, or give a dataset.split_csv."
            )
    return drawn


def _from_table(table, files, group_of):
    label_of = {file: label for label, names in files.items() for file in names}
    split_of = {}
    for line, name, split, device, city, stated_group in _table_rows(table):
        file = name.replace("\\", "/").removeprefix("./")
        if file not in label_of:
            raise UserError(
                f"{table}:{line}: there is no audio file '{file}'. "
                f"Paths are below dataset.root, such as '{next(iter(label_of))}'."
            )
        if split not in ("train", "test"):
            raise UserError(f"{table}:{line}: split '{split}' is neither train nor test.")
        group = stated_group or group_of(file)
        if split_of.setdefault(group, split) != split:
            raise UserError(
                f"{table}:{line}: group '{group}' of '{file}' is in training and in the test; keep it in one."
            )
        yield Clip(file, label_of[file], split, device, city, group)


def _table_rows(table):
    optional = ("device", "city", "group")
    columns = read_table(table, ("filename", "split"), optional=optional, delimiter=delimiter_of(table))
    return zip(*columns, strict=True)
