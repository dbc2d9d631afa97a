"""The clips that a run was trained and tested on, kept in the run, so that other data never pass for the same.

clips.csv.gz    file, label, split, fingerprint (see data/fingerprint.py) of every clip
"""

import csv
import gzip
import io
import shutil
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from asc_tf.errors import UserError
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder

OPTION = "--accept-data-change"


class ClipEntry(NamedTuple):
    """One clip of a run's data.

    Args:
        label: Its class; of several classes their names with commas between them.
        split: "train", "validation" or "test".
        fingerprint: Of its file; "" where it is not known.
    """

    label: str
    split: str
    fingerprint: str


ClipEntries = Mapping[str, ClipEntry]  # by file


def write(run: RunFolder, clips: ClipEntries) -> None:
    """Writes the clips of a run."""
    text = io.StringIO()
    rows = [(file, *entry) for file, entry in sorted(clips.items())]
    csv.writer(text, lineterminator="\n").writerows([("file", *ClipEntry._fields), *rows])
    run.write(layout.CLIPS, gzip.compress(text.getvalue().encode(errors="surrogateescape"), mtime=0))


def read(run: RunFolder) -> dict[str, ClipEntry]:
    """The clips of a run.

    Raises:
        UserError: The file is damaged.
    """
    try:
        text = gzip.decompress(run.read_bytes(layout.CLIPS)).decode(errors="surrogateescape")
        _, *rows = csv.reader(io.StringIO(text, newline=""))
        return {file: ClipEntry(*entry) for file, *entry in rows}
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, TypeError, ValueError) as error:
        raise UserError(
            f"{run.path / layout.CLIPS}: is damaged ({error}), so that it is not known which data the run was made "
            "from. Restore it, or remove it to have the run checked by its classes alone."
        ) from error


def check(run: RunFolder, classes: Sequence[str], clips: ClipEntries, *, accept: bool = False) -> None:
    """Checks that data are those that a run was made from; an imported run is checked by its classes alone.

    Args:
        run: The run.
        classes: Classes of the data, in order.
        clips: Their clips.
        accept: Whether other clips of the same classes are accepted: what changed is printed, the record is replaced,
            and outputs that the run has stored for its students are removed.

    Raises:
        UserError: The classes differ, or the clips and `accept` is not set.
    """
    check_classes(run, classes)
    if not run.has(layout.CLIPS):
        return
    changes = differences(read(run), clips)
    if not changes:
        return
    if not accept:
        raise UserError(
            f"{run.path}: its data are not those that it was made from: {'; '.join(changes)}. Restore them, train "
            f"another run, or add {OPTION} to go on with these."
        )
    print(f"{run.path}: its data have changed, accepted: {'; '.join(changes)}", flush=True)
    shutil.rmtree(run.path / layout.TEACHER_OUTPUTS, ignore_errors=True)
    write(run, clips)


def check_classes(run: RunFolder, classes: Sequence[str]) -> None:
    """Checks that the classes of data are those of a run's outputs.

    Raises:
        UserError: They are not.
    """
    if tuple(classes) == run.labels:
        return
    new, gone = (sorted(set(one) - set(other)) for one, other in ((classes, run.labels), (run.labels, classes)))
    parts = [f"{title} {', '.join(map(repr, names[:5]))}" for title, names in (("new:", new), ("gone:", gone)) if names]
    raise UserError(
        f"{run.path}: its network was trained on other classes than its data have now "
        f"({'; '.join(parts) or 'their order differs'}). Restore the names of the classes, or train another run."
    )


def differences(before: ClipEntries, now: ClipEntries) -> list[str]:
    """What differs between the clips of two data, a part of a sentence for each kind of change."""
    both = [file for file in before if file in now]
    changed = {
        "{} of another class": [file for file in both if before[file].label != now[file].label],
        "{} in another split": [file for file in both if before[file].split != now[file].split],
        "{} with other content": [file for file in both if _rewritten(before[file], now[file])],
        "{} new": [file for file in now if file not in before],
        "{} gone": [file for file in before if file not in now],
    }
    return [f"{text.format(len(files))} (the first is '{min(files)}')" for text, files in changed.items() if files]


def _rewritten(before, now):
    """Whether fingerprints differ; those of a set that has grown large are sizes alone."""
    if not (before.fingerprint and now.fingerprint):
        return False
    pairs = zip(before.fingerprint.split("-"), now.fingerprint.split("-"), strict=False)
    return any(one != other for one, other in pairs)
