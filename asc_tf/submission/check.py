"""Checks a package for the DCASE challenge before it is sent."""

from collections.abc import Sequence
from pathlib import Path

from asc_tf.data.datasets.csv_table import read_table
from asc_tf.errors import UserError
from asc_tf.submission import inference_module, meta, output
from asc_tf.submission.rules import MOST_ENTRIES, YEARS

TABLE = "evaluation_setup/fold1_test.csv"
ENDINGS = ("*.meta.yaml", "*.output*.csv")


def evaluation_names(folder: str | Path | None, year: int) -> list[str]:
    """Names of the files of the evaluation set.

    Args:
        folder: Folder of the evaluation set, with its table; None for the names 0.wav, 1.wav, ... of the official one.
        year: Of the challenge.

    Raises:
        UserError: The table is absent.
    """
    if folder is None:
        return [f"{index}.wav" for index in range(YEARS[year].files)]
    _, names = read_table(Path(folder) / TABLE, ("filename",))
    return list(names)


def evaluation_devices(folder: str | Path) -> list[str]:
    """Device of every file of the evaluation set, "unknown" among them.

    Args:
        folder: Folder of the evaluation set.

    Raises:
        UserError: The table is absent or has no column device_id.
    """
    _, devices = read_table(Path(folder) / TABLE, ("device_id",))
    return list(devices)


def defects(folder: str | Path, year: int, names: Sequence[str]) -> list[str]:
    """All defects of a package: a folder that holds task1/LABEL/LABEL.*, or such a folder LABEL.

    The inference modules of 2025 are imported and run, each in a process of its own.

    Args:
        folder: The folder.
        year: Of the challenge.
        names: Names of the evaluation set's files.

    Returns:
        Messages, each with file, line where there is one, rule and fix; none of a right package.

    Raises:
        UserError: There is no package in the folder.
    """
    folder, rules, found = Path(folder), YEARS[year], []
    entries = sorted({file.parent for ending in ENDINGS for file in folder.rglob(ending)})
    if not entries:
        raise UserError(f"{folder}: holds no {' and no '.join(ENDINGS)}; name the folder of a package.")
    if len(entries) > MOST_ENTRIES:
        found.append(f"{folder}: has {len(entries)} entries; {MOST_ENTRIES} at most are taken.")
    for entry in entries:
        label = entry.name
        expected = {rules.output(label, split) for split in rules.splits} | {f"{label}.meta.yaml"}
        present = {file.name for file in entry.iterdir() if file.suffix in (".csv", ".yaml")}
        found += [f"{entry / name}: is missing; every entry has it." for name in sorted(expected - present)]
        found += [
            f"{entry / name}: is none of the files of an entry; they are {', '.join(sorted(expected))}."
            for name in sorted(present - expected)
        ]
        for name in sorted(expected & present):
            file = entry / name
            found += meta.defects(file, rules) if name.endswith(".yaml") else output.defects(file, names)
        if rules.by_device:
            found += inference_module.defects(folder, label, meta.inference_code(entry / f"{label}.meta.yaml"))
    return found
