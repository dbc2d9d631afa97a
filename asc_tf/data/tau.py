"""Which clips do TAU Urban Acoustic Scenes 2020 and 2022 Mobile consist of, and which are trained on?

Source: Heittola et al., DCASE Workshop 2020; DCASE 2024 Task 1 for the splits of 5 to 100 %.
Input:  the folder that the archives unpack to: meta.csv (filename, scene_label, identifier, source_label;
        tab separated), audio/*.wav, evaluation_setup/fold1_{train,test,evaluate}.csv; and split5.csv to
        split100.csv with test.csv, plain or as .csv.gz.
Names:  2022: audio/airport-lisbon-1000-40000-0-a.wav = scene, city, location, recording, segment, device;
        2020: audio/airport-barcelona-0-0-a.wav, the same without the segment.
"""

import re
from typing import Literal

from asc_tf.data.listing import Clip, Listing, checked, existing_folder, read_table
from asc_tf.errors import UserError

SCENES = (
    "airport", "bus", "metro", "metro_station", "park",
    "public_square", "shopping_mall", "street_pedestrian", "street_traffic", "tram",
)  # fmt: skip
_NAME = re.compile(r"(?:.*/)?([a-z_]+)-([a-z]+)-([0-9]+)-[0-9]+(?:-[0-9]+)?-([a-z][0-9]*)\.[a-z0-9]+")
_META = ("filename", "scene_label", "identifier", "source_label")


def listing(*, root: str, split: Literal["fold1", "5", "10", "25", "50", "100"], splits_folder: str = "") -> Listing:
    """The clips of a split; device, city and group (scene, city and location) are read from the names.

    root:          holds meta.csv and audio.
    split:         "fold1", or the share of the training clips in per cent as of DCASE 2024.
    splits_folder: where split5.csv and the like are, if not in evaluation_setup or in root.
    Raises UserError, naming file and line, where tables, names and folder contradict each other.
    """
    folder = existing_folder(root, "dataset.root", "Name the folder that TAU's archives were unpacked to.")
    tables = _tables(folder, split, splits_folder)
    meta = _meta(folder)
    clips = [clip for part, table in tables.items() for clip in _clips(table, part, meta, folder / "meta.csv")]
    return checked(Listing(folder, SCENES, tuple(clips)), tables["train"].parent)


def _tables(folder, split, splits_folder):
    """{"train": file, "test": file}."""
    places = [folder / "evaluation_setup", folder]
    if splits_folder:
        places.insert(0, existing_folder(splits_folder, "dataset.splits_folder", "Name the folder of the split lists."))
    if split == "fold1":
        return {"train": _find(places, "fold1_train"), "test": _find(places, "fold1_evaluate", "fold1_test")}
    return {"train": _find(places, f"split{split}"), "test": _find(places, "test")}


def _find(places, *names):
    for name in names:
        for place in places:
            for file in (place / f"{name}.csv", place / f"{name}.csv.gz"):
                if file.is_file():
                    return file
    raise UserError(
        f"{places[0] / names[0]}.csv: there is no such file, nor one with .gz, nor in {places[-1]}. "
        "Unpack the lists there, or set dataset.splits_folder."
    )


def _meta(folder):
    """{file: (line, scene, identifier, device)} as meta.csv states."""
    file = folder / "meta.csv"
    if not file.is_file():
        inner = sorted(folder.glob("*/meta.csv"))
        fix = f"Did you mean '{inner[0].parent}'?" if inner else "Unpack the archive with 'meta' in its name there."
        raise UserError(f"dataset.root = '{folder}': there is no meta.csv. {fix}")
    rows = read_table(file, _META)
    return {row["filename"]: (line, row["scene_label"], row["identifier"], row["source_label"]) for line, row in rows}


def _clips(table, part, meta, meta_file):
    for line, row in read_table(table, ("filename",), optional=("scene_label",)):
        file, scene = row["filename"], row["scene_label"]
        if file not in meta:
            raise UserError(f"{table}:{line}: '{file}' has no row in {meta_file}; are they of one version?")
        clip = _clip(file, part, f"{table}:{line}")
        _agree(clip, *meta[file], meta_file)
        if scene and scene != clip.label:
            raise UserError(f"{table}:{line}: scene_label '{scene}', but the name says '{clip.label}': {file}.")
        yield clip


def _clip(file, part, where):
    named = _NAME.fullmatch(file)
    if not named:
        raise UserError(
            f"{where}: '{file}' is not named as TAU names its files, "
            "audio/scene-city-location-recording[-segment]-device.wav."
        )
    scene, city, location, device = named.groups()
    return Clip(file, scene, part, device, city, f"{scene}-{city}-{location}")


def _agree(clip, line, scene, identifier, device, meta_file):
    """Raises UserError where a row of meta.csv contradicts the file's name."""
    where = f"{meta_file}:{line}: {clip.file}"
    if scene != clip.label:
        raise UserError(f"{where}: scene_label '{scene}', but the name says '{clip.label}'.")
    if device != clip.device:
        raise UserError(f"{where}: source_label '{device}', but the name says device '{clip.device}'.")
    if clip.city not in identifier.split("-"):
        raise UserError(f"{where}: identifier '{identifier}', but the name says city '{clip.city}'.")
