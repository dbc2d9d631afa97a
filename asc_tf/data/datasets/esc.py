"""The dataset ESC-50 and its part ESC-10: environmental sounds in five folds.

Source: K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015.
Input:  the official layout, meta/esc50.csv (filename, fold, category, esc10, src_file; commas) with audio/*.wav,
        or meta.csv (filename, label, fold, source; tabs) with audio/*.ogg.

The folds share no source recording; that is checked.
"""

from typing import Any

from asc_tf.data.datasets.csv_table import read_table
from asc_tf.data.datasets.listing import Clip, Listing, check_classes, check_listing, existing_folder
from asc_tf.errors import UserError

TABLES = ("meta/esc50.csv", "meta.csv")  # by one of which a folder is recognised as this dataset
_FOLDS = 5
_CLIPS_A_FOLD = {False: 400, True: 80}  # of ESC-50, of ESC-10


def listing(*, root: str, test_fold: int, only_esc10: bool = False, left_out_folds: list[int] = ()) -> Listing:
    """Lists the clips of all folds: `test_fold` is the test split, the others are the training split.

    Args:
        root: Folder that holds audio and one of the two tables.
        test_fold: Fold that is tested on.
        only_esc10: Whether to take only the ten classes that the official ESC-50 marks as esc10.
        left_out_folds: Folds for neither training nor test, such as the final test fold while settings are chosen.

    Raises:
        UserError: A fold does not exist, a source recording is in two folds, a class is not in both splits, or a table
            is wrong.
    """
    folder = existing_folder(root, "dataset.root", "Name the folder that ESC was unpacked to.")
    table, rows = _rows(folder, only_esc10)
    _check_folds(table, rows, test_fold, left_out_folds)
    clips = [
        Clip(_below_root(file), label, "test" if int(fold) == test_fold else "train", group=source)
        for _, file, label, fold, source in rows
        if int(fold) not in left_out_folds
    ]
    classes = tuple(sorted({clip.label for clip in clips}))
    return check_classes(check_listing(Listing.from_clips(folder, classes, clips), table), table)


def expected_clips(**settings: Any) -> dict[str, int]:
    """Number of clips of the official ESC-50, or of ESC-10 with `only_esc10`.

    Args:
        settings: Those of `listing`.

    Returns:
        {"train": clips, "test": clips}, before validation clips are taken from the training split.
    """
    clips = _CLIPS_A_FOLD[settings.get("only_esc10", False)]
    left_out = set(settings.get("left_out_folds", ()))
    return {"train": (_FOLDS - 1 - len(left_out)) * clips, "test": clips}


def _below_root(file):
    return file if file.startswith("audio/") else f"audio/{file}"


def _rows(folder, only_esc10):
    """(table, [(line, filename, label, fold, source)])."""
    official, plain = folder / "meta/esc50.csv", folder / "meta.csv"
    if official.is_file():
        columns = ("filename", "category", "fold", "src_file", "esc10")
        rows = zip(*read_table(official, columns), strict=True)
        return official, [row[:5] for row in rows if row[5].lower() == "true" or not only_esc10]
    if not plain.is_file():
        raise UserError(f"dataset.root = '{folder}': there is neither meta/esc50.csv nor meta.csv. Unpack ESC there.")
    if only_esc10:
        raise UserError(f"dataset.only_esc10: {plain} has no column 'esc10'; leave the setting out.")
    return plain, list(zip(*read_table(plain, ("filename", "label", "fold", "source")), strict=True))


def _check_folds(table, rows, test_fold, left_out_folds):
    fold_of = {}
    for line, file, _, fold, source in rows:
        if not fold.isdecimal():
            raise UserError(f"{table}:{line}: fold '{fold}' of '{file}' must be a whole number.")
        if fold_of.setdefault(source, int(fold)) != int(fold):
            raise UserError(f"{table}:{line}: source '{source}' is in fold {fold_of[source]} too; keep it in one.")
    folds = sorted(set(fold_of.values()))
    known = ", ".join(map(str, folds))
    for setting, fold in [("test_fold", test_fold), *(("left_out_folds", fold) for fold in left_out_folds)]:
        if fold not in folds:
            raise UserError(f"dataset.{setting} = {fold} is not a fold of {table}. Known: {known}.")
    if test_fold in left_out_folds:
        raise UserError(f"dataset.left_out_folds: fold {test_fold} is dataset.test_fold; choose another.")
