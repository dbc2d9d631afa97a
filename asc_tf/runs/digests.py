"""SHA-256 of the files that make up a trained network, so that others never pass for them.

digests.json is written when training has ended. What is made of a network later, such as its int8 file, states the
digest of the whole.
"""

import hashlib
import json
import tomllib
from collections.abc import Sequence

from asc_tf.errors import UserError
from asc_tf.runs import files, layout
from asc_tf.runs.folder import RunFolder

KEY = "network_sha256"  # of the digest in files that are made of a network
INPUTS = tuple(name for name in layout.NETWORK if name != layout.BEST_WEIGHTS)
PATHS = ("root", "prepared_folder", "audio_url")  # keys of a recipe that say where data lie


def sha256(content: bytes) -> str:
    """SHA-256 of bytes, as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def of(run: RunFolder, names: Sequence[str] = layout.NETWORK) -> dict[str, str]:
    """Digests of files of a run by name, of those that it has; of its recipe without the places of data.

    Args:
        run: The run.
        names: Names of the files.
    """
    return {name: sha256(_content(run, name)) for name in filter(run.has, names)}


def network(run: RunFolder, names: Sequence[str] = layout.NETWORK) -> str:
    """One digest of several files of a run.

    Args:
        run: The run.
        names: Names of the files; all of the network by default.
    """
    return _joined(of(run, names))


def write(run: RunFolder) -> None:
    """Writes the digests of a trained or imported network to its run."""
    run.write_json(layout.DIGESTS, of(run))


def check(run: RunFolder) -> None:
    """Checks that a run's network consists of the files that its training ended with, where it has digests.json.

    Raises:
        UserError: A file is damaged, missing or another one.
    """
    run.check(layout.NETWORK)
    if not run.has(layout.DIGESTS):
        return
    stored, present = run.read(layout.DIGESTS), of(run)
    for name in layout.NETWORK:
        if name in stored and name not in present:
            raise UserError(f"{run.path / name}: is missing. {files.of(name).fix}")
        if stored.get(name) != present.get(name):
            raise UserError(
                f"{run.path / name}: is not the file that the run's training ended with, by {layout.DIGESTS}. "
                f"{files.of(name).fix}"
            )
    if run.has(layout.METRICS):
        whole = _joined(present)
        for report in run.read(layout.METRICS).values():
            if report.get(KEY, whole) != whole:
                raise UserError(
                    f"{run.path / layout.METRICS}: is of another network than the run has now. "
                    f"{files.of(layout.METRICS).fix}"
                )


def _joined(of_files):
    """One digest of those of several files."""
    return sha256(json.dumps(of_files, sort_keys=True).encode())


def _content(run, name):
    if name != layout.RECIPE:
        return run.read_bytes(name)
    tree = tomllib.loads(run.read(name))
    known = {
        key: {k: v for k, v in part.items() if k not in PATHS} if isinstance(part, dict) else part
        for key, part in tree.items()
    }
    return json.dumps(known, sort_keys=True, default=str).encode()
