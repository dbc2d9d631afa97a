"""A dataset in a user's folder: audio files of any format, in one sub-folder a class or with a table of labels.

Input:  root/CLASS/.../*.wav and the like, root/SPLIT/CLASS/.../*.wav with SPLIT as train, validation and test, or files
        in any folders with a table (filename, label). What is not read is counted in the listing's summary.
Split:  by groups of files with a seed, by SPLIT, or by a table with the columns filename and split or fold.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from asc_tf.data.audio import EXTENSIONS
from asc_tf.data.datasets import group_split
from asc_tf.data.datasets.audio_files import AudioFiles
from asc_tf.data.datasets.csv_table import column_names, read_table
from asc_tf.data.datasets.listing import Clip, Listing, check_classes, check_listing, existing_folder
from asc_tf.errors import UserError

SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
# Names of the columns of files and classes, and those that tables of public datasets have instead.
_OTHER_NAMES = {
    "filename": ("slice_file_name", "file_name", "fname", "file", "path"),
    "label": ("class", "category", "scene_label"),
}
_SPLIT_OF = {name: split for split, names in SPLITS.items() for name in names}
_FOLD = re.compile(r"(fold|split)[ _-]?[0-9]+", re.IGNORECASE)


def listing(
    *,
    root: str,
    test_share: float = 0.2,
    seed: int = 1,
    split_csv: str = "",
    labels_csv: str = "",
    test_fold: int = 0,
    group_pattern: str = "",
) -> Listing:
    """Lists the audio files below a folder, with the classes in alphabetical order.

    Args:
        root: Folder with one sub-folder for each class; or with train, test and perhaps validation, which have them.
        test_share: Share of each class's files for the test, above 0 and below 1, drawn by group: no group is in both
            splits.
        seed: Seed of the draw, at least 0.
        split_csv: Table that replaces the draw, with the columns filename (below root) and split (train, test or
            validation) or fold, and device, city and group if known. Files that are not in it are left out.
        labels_csv: Table with the columns filename and label in place of folders of classes, and the columns of
            split_csv if known. Tables of public datasets may name them slice_file_name, fname, file, path, class,
            category or scene_label, which a note says. A filename without a folder may be in any one folder below root.
        test_fold: With a column fold, the fold that is tested on.
        group_pattern: Regular expression with one group in brackets, searched in the path below root, such as
            "(session[0-9]+)"; what it matches is the name of the file's group. Without it, the files of one sub-folder
            of a class are a group, and a file directly below its class is a group alone.

    Raises:
        UserError: There are fewer than two classes, a class has no audio or too few groups, folders of splits and of
            classes are side by side, or the table is wrong.
    """
    folder = existing_folder(root, "dataset.root", "Name a folder with one sub-folder for each class.")
    group_of = _grouping(group_pattern)
    if split_csv and labels_csv:
        raise UserError("dataset.split_csv and dataset.labels_csv: put the splits into the table of labels, as split.")
    search = AudioFiles(folder)
    if labels_csv:
        table = _Table(folder, labels_csv, dict.fromkeys(search.below(""), ""), group_of if group_pattern else str)
        return table.listing(search, test_fold, labelled=True, draw=(test_share, seed))
    if splits := _split_folders(folder):
        if split_csv:
            raise UserError(f"{folder}: is divided into {', '.join(splits.values())}; leave dataset.split_csv out.")
        clips = list(_of_split_folders(folder, splits, search, group_of))
        search.notes.append(f"splits: by the folders {', '.join(splits.values())}")
        return check_classes(_listing(folder, clips, search, folder), folder)
    label_of = {file: label for label, files in _classes(folder, search).items() for file in files}
    if split_csv:
        return _Table(folder, split_csv, label_of, group_of).listing(search, test_fold)
    rows = [(file, label, group_of(file)) for file, label in label_of.items()]
    return _listing(folder, _drawn(folder, rows, test_share, seed), search, folder)


def _listing(folder, clips, search, source):
    classes = tuple(sorted({clip.label for clip in clips}))
    told = {"passed_over": dict(search.passed_over), "notes": tuple(search.notes)}
    return check_listing(Listing.from_clips(folder, classes, clips, **told), source)


def _drawn(source, rows, test_share, seed):
    """Clips of (file, label, group) rows, with a test split that is drawn."""
    groups = _draw(source, rows, test_share, seed)
    return [Clip(file, label, "test" if group in groups else "train", group=group) for file, label, group in rows]


def _sub_folders(folder):
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _split_folders(folder):
    """{split: its sub-folder} of a folder that is divided into splits; {} of one that has classes."""
    names = _sub_folders(folder)
    known = [name for name in names if name.lower() in _SPLIT_OF or _FOLD.fullmatch(name)]
    if not known:
        return {}
    if folds := [name for name in known if _FOLD.fullmatch(name)]:
        fix = "Give a table with filename, label and fold as dataset.labels_csv, and dataset.test_fold"
        raise UserError(f"{folder / folds[0]}: a folder of a fold is no class. {fix}, or move it.")
    splits = {_SPLIT_OF[name.lower()]: name for name in known}
    if len(known) < len(names) or len(splits) < len(known) or not {"train", "test"} <= set(splits):
        rule = "folders of splits must be train and test, with validation if you like, and no class beside them"
        raise UserError(f"{folder}: '{known[0]}' has the name of a split; {rule}. Rename it if it is a class.")
    return splits


def _of_split_folders(folder, splits, search, group_of):
    """The clips; a group is looked for below the folder of the split, where it is not given by a pattern."""
    split_of = {}
    for split, name in splits.items():
        for label in _sub_folders(folder / name):
            for file in search.below(f"{name}/{label}"):
                group = group_of(file)
                if group_of is _default_group:
                    group = f"{name}/{group_of(file.removeprefix(f'{name}/'))}"
                if split_of.setdefault(group, split) != split:
                    raise UserError(f"{folder}: group '{group}' of '{file}' is in two splits; keep it in one.")
                yield Clip(file, label, split, group=group)


def _classes(folder, search):
    """{class: its audio files below `folder`, sorted}."""
    names = _sub_folders(folder)
    if len(names) < 2:
        raise UserError(f"dataset.root = '{folder}': holds {len(names)} sub-folder(s); two classes are the least.")
    files = {}
    for name in names:
        files[name] = search.below(name)
        if not files[name]:
            known = ", ".join(sorted(EXTENSIONS))
            raise UserError(f"{folder / name}: a class without audio files. Add some, or move it away; known: {known}.")
    return files


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


class _Table:
    """A table of files with splits or labels; file names are matched with the audio files below a folder."""

    def __init__(self, folder: Path, table: str, label_of: dict[str, str], group_of: Callable[[str], str]):
        self.folder, self.table, self.label_of, self.group_of = folder, Path(table).expanduser(), label_of, group_of
        self.by_form = {unicodedata.normalize("NFC", file): file for file in label_of}
        self.by_name = _unique((PurePosixPath(form).name, file) for form, file in self.by_form.items())
        self.matched_by_form = 0

    def listing(
        self, search: AudioFiles, test_fold: int, *, labelled: bool = False, draw: tuple[float, int] | None = None
    ) -> Listing:
        """The listing; `draw` (share, seed) of the test split is used where the table has no splits."""
        clips = list(self._clips(test_fold, self._columns(labelled, search)))
        if draw and not any(clip.split for clip in clips):
            clips = _drawn(self.table, [(clip.file, clip.label, clip.group) for clip in clips], *draw)
        if others := len(self.label_of) - len({clip.file for clip in clips}):
            search.passed_over[f"not in {self.table.name}"] += others
        if self.matched_by_form:
            search.notes.append(
                f"{self.matched_by_form} names are spelt in another Unicode form (NFC, NFD) than the files'"
            )
        return check_classes(_listing(self.folder, clips, search, self.table), self.table)

    def _columns(self, labelled, search):
        """Names of the columns of files and, where they are labelled, of classes; a note has those of other tables."""
        present, names = set(column_names(self.table)), []
        for name, others in list(_OTHER_NAMES.items())[: 1 + labelled]:
            found = [other for other in others if other in present]
            if name in present or len(found) != 1:
                names.append(name)
            else:
                names.append(found[0])
                search.notes.append(f"column {found[0]} of {self.table.name} taken as {name}")
        return names

    def _clips(self, test_fold, columns):
        split_of = {}
        for line, name, label, split, fold, device, city, stated_group in self._rows(columns):
            where = f"{self.table}:{line}"
            file = self._file(name, where)
            split = self._split(split, fold, test_fold, where) if split or fold else ""
            group = stated_group or self.group_of(file)
            if split_of.setdefault(group, split) != split:
                raise UserError(
                    f"{where}: group '{group}' of '{file}' is in {_name(split_of[group])} and in {_name(split)}; "
                    "keep it in one."
                )
            yield Clip(file, label or self.label_of[file], split, device, city, group)

    def _rows(self, columns):
        """(line, filename, label, split, fold, device, city, group) of every row."""
        optional, labelled = ("split", "fold", "device", "city", "group"), len(columns) > 1
        lines, files, *rest = read_table(self.table, columns, optional=optional)
        labels = rest.pop(0) if labelled else [""] * len(lines)
        splits, folds = rest[:2]
        if not labelled or any(splits) or any(folds):
            decided, cells = ("fold", folds) if any(folds) and not any(splits) else ("split", splits)
            if not all(cells):
                read_table(self.table, (decided,))  # raises UserError that names the row, or the column
        return zip(lines, files, labels, *rest, strict=True)

    def _file(self, name, where):
        path = name.replace("\\", "/")
        if os.path.isabs(path):
            path = os.path.relpath(os.path.realpath(path), os.path.realpath(self.folder))
        path = os.path.normpath(path).replace(os.sep, "/")
        if path in self.label_of:
            return path
        form = unicodedata.normalize("NFC", path)
        file = self.by_form.get(form) or ("/" not in form and self.by_name.get(form))
        if not file:
            several = form in self.by_name and "/" not in form
            fault = f"several files are named '{name[:80]}'" if several else f"there is no audio file '{name[:80]}'"
            raise UserError(
                f"{where}: {fault}. Paths are below dataset.root, such as '{next(iter(self.label_of), 'class/x.wav')}'."
            )
        self.matched_by_form += not file.endswith(path)
        return file

    def _split(self, split, fold, test_fold, where):
        if split:
            if split.lower() not in _SPLIT_OF:
                raise UserError(f"{where}: split '{split[:40]}' is neither train nor test nor validation.")
            return _SPLIT_OF[split.lower()]
        if not test_fold:
            raise UserError(f"{self.table}: divides the files into folds; set dataset.test_fold to the one to test on.")
        return "test" if fold == str(test_fold) else "train"


def _name(split):
    return {"train": "training", "test": "the test"}.get(split, split or "no split")


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{key: value}, "" for a key that several pairs have."""
    unique = {}
    for key, value in pairs:
        unique[key] = "" if key in unique else value
    return unique
