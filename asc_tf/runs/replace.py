"""Replacement of several files of a folder together: all of them, or none, whenever the process is stopped.

unfinished/   a folder like the run's, in which new files are made; what a stopped process left is of no use
new/          the same when all are complete: they are about to be moved to their places, by any later process
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from asc_tf.errors import UserError
from asc_tf.runs import atomic, layout

PLAN = "replaced.json"  # in new/: which files are moved, and which are removed


@contextlib.contextmanager
def together(folder: Path, *, needed: Sequence[str], replaced: Sequence[str]) -> Iterator[Path]:
    """Context in which files are made in a folder of their own, which replace those of another at its end.

    After an exception the other folder is as it was.

    Args:
        folder: The folder.
        needed: Names of its files that the work needs, of which the new folder gets links or copies.
        replaced: Names of its files that are replaced, or removed where the work has made none.

    Yields:
        The new folder.

    Raises:
        UserError: A file cannot be written.
    """
    made = folder / layout.UNFINISHED
    try:
        finish(folder)
        for left in (made, folder / layout.NEW):
            shutil.rmtree(left, ignore_errors=True)
        for name in filter(lambda name: (folder / name).is_file(), needed):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            _link(folder / name, made / name)
        yield made
        names = [name for name in replaced if (made / name).is_file()]
        plan = {"moved": names, "removed": [name for name in replaced if name not in names]}
        atomic.write(made / PLAN, json.dumps(plan))
        os.replace(made, folder / layout.NEW)
        finish(folder)
    except OSError as error:
        raise UserError(f"{error.filename or made}: cannot be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def finish(folder: Path) -> None:
    """Moves files to their places that a stopped process had completed.

    Args:
        folder: The folder whose files they replace.

    Raises:
        OSError: They cannot be moved.
    """
    new = folder / layout.NEW
    if not (new / PLAN).is_file():
        return
    plan = json.loads((new / PLAN).read_text())
    for name in filter(layout.OF_WEIGHTS.__contains__, plan["moved"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # moved before the stop
            os.replace(new / name, folder / name)
    for name in filter(layout.OF_WEIGHTS.__contains__, plan["removed"]):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(new, ignore_errors=True)


def _link(source, target):
    try:
        os.link(source, target)
    except OSError:  # a disk without links
        atomic.write(target, source.read_bytes())
