"""The datasets TAU Urban Acoustic Scenes 2020 and 2022 Mobile: ten scenes of European cities, several devices.

Source: Heittola et al., DCASE Workshop 2020; DCASE 2024 Task 1 for the splits of 5 to 100 %.
Input:  the folder that the archives unpack to: meta.csv (filename, scene_label, identifier, source_label;
        tab separated), audio/*.wav, evaluation_setup/fold1_{train,test,evaluate}.csv; and split5.csv to
        split100.csv with test.csv, plain or as .csv.gz.
Names:  2022: audio/airport-lisbon-1000-40000-0-a.wav = scene, city, location, recording, segment, device;
        2020: audio/airport-barcelona-0-0-a.wav, the same without the segment.
"""

import re
from itertools import chain
from typing import Any, Literal, NamedTuple

from asc_tf.data.datasets.csv_table import read_table
from asc_tf.data.datasets.listing import Listing, check_listing, existing_folder
from asc_tf.errors import UserError

SCENES = (
    "airport", "bus", "metro", "metro_station", "park",
    "public_square", "shopping_mall", "street_pedestrian", "street_traffic", "tram",
)  # fmt: skip
TABLES = ("meta.csv",)  # by which a folder is recognised as this dataset
Split = Literal["fold1", "split5", "split10", "split25", "split50", "split100"]
_TEST_CLIPS = 29_680
_TRAIN_CLIPS = {
    "fold1": 139_620, "split5": 6_980, "split10": 13_960, "split25": 34_900, "split50": 69_800, "split100": 139_620,
}  # fmt: skip
# Groups: the file, scene-city-location, scene, city-location, city, device.
_NAME = re.compile(
    r"^((?:audio/|.*/|)(([a-z_]+)-(([a-z]+)-[0-9]+))-[0-9]+(?:-[0-9]+)?-([a-z][0-9]*)\.[a-z0-9]+)$", re.MULTILINE
)
_META = ("filename", "scene_label", "identifier", "source_label")


class _Names(NamedTuple):
    """The parts of files' names, column by column."""

    files: tuple
    groups: tuple
    scenes: tuple
    identifiers: tuple
    cities: tuple
    devices: tuple


def listing(*, root: str, split: Split, splits_folder: str = "") -> Listing:
    """Lists the clips of a split; device, city and group (scene, city and location) are read from the names.

    Args:
        root: Folder that holds meta.csv and audio.
        split: "fold1", or "split5" to "split100": the share of the training clips in per cent as of DCASE 2024.
        splits_folder: Folder of split5.csv and the like, if it is neither evaluation_setup nor root.

    Raises:
        UserError: A table or file is absent, or tables and names contradict each other; file and line are named.
    """
    folder = existing_folder(root, "dataset.root", "Name the folder that TAU's archives were unpacked to.")
    tables = _tables(folder, split, splits_folder)
    meta = _meta(folder)
    rows = _rows(meta)
    parts = [_columns(table, part, meta, rows) for part, table in tables.items()]
    columns = (tuple(chain(*column)) for column in zip(*parts, strict=True))
    return check_listing(Listing(folder, SCENES, *columns), tables["train"].parent)


def expected_clips(**settings: Any) -> dict[str, int]:
    """Number of clips of the official set of 2022, before validation clips are taken from the training split.

    Args:
        settings: Those of `listing`; the split decides.

    Returns:
        {"train": clips, "test": clips}.
    """
    return {"train": _TRAIN_CLIPS[settings["split"]], "test": _TEST_CLIPS}


def _tables(folder, split, splits_folder):
    """{"train": file, "test": file}."""
    folders = [folder / "evaluation_setup", folder]
    if splits_folder:
        fix = "Name the folder of the split lists."
        folders.insert(0, existing_folder(splits_folder, "dataset.splits_folder", fix))
    if split == "fold1":
        return {"train": _find(folders, "fold1_train"), "test": _find(folders, "fold1_evaluate", "fold1_test")}
    return {"train": _find(folders, split), "test": _find(folders, "test")}


def _find(folders, *names):
    for name in names:
        for folder in folders:
            for file in (folder / f"{name}.csv", folder / f"{name}.csv.gz"):
                if file.is_file():
                    return file
    raise UserError(
        f"{folders[0] / names[0]}.csv: there is no such file, nor one with .gz, nor in {folders[-1]}. "
        "Unpack the lists there, or set dataset.splits_folder."
    )


def _meta(folder):
    file = folder / "meta.csv"
    if not file.is_file():
        inner = sorted(folder.glob("*/meta.csv"))
        fix = f"Did you mean '{inner[0].parent}'?" if inner else "Unpack the archive with 'meta' in its name there."
        raise UserError(f"dataset.root = '{folder}': there is no meta.csv. {fix}")
    return file


def _rows(meta):
    """The lines of meta.csv as a set; one that cannot be read is reported by _check_meta, for none of its rows fits."""
    try:
        return set(meta.read_text(encoding="utf-8-sig", errors="replace").split("\n"))
    except OSError:
        return set()


def _columns(table, part, meta, rows):
    """The columns of a Listing (file, label, split, device, city, group) for one part, checked against `rows`."""
    lines, files, stated = read_table(table, ("filename",), optional=("scene_label",))
    names = _parse_names(files, table, lines)
    # All lines in one look-up; cell by cell only where a line differs.
    expected = map("\t".join, zip(names.files, names.scenes, names.identifiers, names.devices, strict=True))
    if not rows.issuperset(chain(["\t".join(_META)], expected)):
        _check_meta(names, meta, table, lines)
    if any(stated) and tuple(stated) != names.scenes:
        for line, file, scene, named in zip(lines, files, stated, names.scenes, strict=True):
            if scene and scene != named:
                raise UserError(f"{table}:{line}: scene_label '{scene}', but the name states '{named}': {file}.")
    return files, names.scenes, [part] * len(files), names.devices, names.cities, names.groups


def _parse_names(files, table, lines):
    # All at once, because a match object a file costs more than the match.
    matches = _NAME.findall("\n".join(files))
    names = _Names(*zip(*matches, strict=True)) if matches else _Names(*[()] * 6)
    if names.files != tuple(files):
        line, file = next(pair for pair in zip(lines, files, strict=True) if not _NAME.fullmatch(pair[1]))
        raise UserError(
            f"{table}:{line}: '{file}' is not named as TAU names its files, "
            "audio/scene-city-location-recording[-segment]-device.wav."
        )
    return names


def _check_meta(names, meta, table, lines):
    """Raises UserError for a file without a row in meta.csv, or with one that contradicts its name."""
    stated = {file: row for file, *row in zip(*_meta_columns(meta), strict=True)}
    for line, file, scene, city, device in zip(
        lines, names.files, names.scenes, names.cities, names.devices, strict=True
    ):
        if file not in stated:
            raise UserError(f"{table}:{line}: '{file}' has no row in {meta}; are they of one version?")
        meta_line, scene_label, identifier, source_label = stated[file]
        where = f"{meta}:{meta_line}: {file}"
        if scene_label != scene:
            raise UserError(f"{where}: scene_label '{scene_label}', but the name states '{scene}'.")
        if source_label != device:
            raise UserError(f"{where}: source_label '{source_label}', but the name states device '{device}'.")
        if city not in identifier.split("-"):
            raise UserError(f"{where}: identifier '{identifier}', but the name states city '{city}'.")


def _meta_columns(meta):
    lines, files, *rest = read_table(meta, _META)
    return files, lines, *rest
