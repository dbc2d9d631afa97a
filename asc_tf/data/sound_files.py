"""The audio files that a user names: files, folders and patterns."""

import dataclasses
import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asc_tf.data.audio import EXTENSIONS, UnreadableAudio
from asc_tf.data.datasets import audio_files

TWICE = "named twice"


@dataclass(frozen=True)
class SoundFiles:
    """Audio files in the order in which they are named.

    Args:
        files: Paths as they are named: a folder's begin with it as it was given.
        errors: {entry of `files`: why nothing can be read there}, of folders and patterns without an audio file.
        passed_over: {reason: number of files} of what folders and patterns match and is not read.
        notes: A phrase for every folder of which most recordings are passed over.
    """

    files: tuple[str, ...]
    errors: dict[str, UnreadableAudio] = field(default_factory=dict)
    passed_over: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One line of what was passed over, "" where nothing was."""
        return "; ".join(filter(None, [audio_files.passed_over_phrase(self.passed_over), *self.notes]))


def find(names: Sequence[str | Path]) -> SoundFiles:
    """The audio files of some names.

    A file is taken as it is, whatever its ending. Of a folder, all audio files below it are taken, by the rules of
    datasets; of a pattern (*, ?, [ab], ** for any folders) that is no file, the audio files and folders that match it.
    Within a folder or pattern files are sorted by name, numbers by value. A file that is reached twice is taken once.

    Args:
        names: Files, folders and patterns.
    """
    files, seen, found = [], set(), SoundFiles(())
    for name in map(os.fspath, names):
        matches = {_identity(file): file for file in _matches(name, found)}
        if not matches:
            matches[name], found.errors[name] = name, UnreadableAudio(name, "has no audio file that can be read")
        found.passed_over[TWICE] += len(matches.keys() & seen)
        files += [file for identity, file in matches.items() if identity not in seen]
        seen |= matches.keys()
    return dataclasses.replace(found, files=tuple(files))


def _matches(name: str, found: SoundFiles) -> Iterator[str]:
    """The files of a name; what is passed over is added to what was found."""
    if os.path.isdir(name):
        yield from _below(name, found)
    elif os.path.lexists(name) or not glob.has_magic(name):
        yield name
    else:
        for match in sorted(glob.glob(name, recursive=True), key=_natural):
            if os.path.isdir(match):
                # ** matches the files below a folder beside the folder.
                yield from [] if "**" in name else _below(match, found)
            elif (ending := os.path.splitext(match)[1].lower()) in EXTENSIONS:
                yield match
            else:
                found.passed_over[audio_files.unread(ending)] += 1


def _below(folder: str, found: SoundFiles) -> list[str]:
    search = audio_files.AudioFiles(Path(folder))
    files = sorted(search.below(""), key=_natural)
    found.passed_over.update(search.passed_over)
    found.notes.extend(search.notes)
    return [os.path.join(folder, file) for file in files]


def _identity(file: str) -> str:
    """Links to files are files of their own, as in datasets; a folder is the same by any name."""
    folder, last = os.path.split(file)
    return os.path.join(os.path.realpath(folder), last)


def _natural(path: str) -> list[tuple[int, str]]:
    """Key of an order in which x2 comes before x10."""
    parts = re.split(r"(\d+)", path)
    return [(int(part), part) if number % 2 else (0, part) for number, part in enumerate(parts)]
