"""Finds the audio files below a folder, and counts what it passes over.

Links to folders are followed, each folder once; a link into the data folder itself is passed over, so that no recording
is there twice and no walk goes round.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from asc_tf.data.audio import EXTENSIONS

# Endings of audio that is not read, which a user might take for read.
UNREAD = frozenset(
    (".m4a", ".aac", ".mp4", ".wma", ".amr", ".3gp", ".webm", ".mka", ".mkv", ".mov", ".ape", ".wv", ".ac3")
)
HIDDEN = "hidden (name begins with a dot)"
UNREADABLE = "folders that cannot be opened"
LINKED_TWICE = "links to folders that are read already"
NO_FILE = "neither files nor folders, such as broken links"
_MOST_REASONS = 6  # of a line


class AudioFiles:
    """A search below one folder of data; what several calls of `below` pass over is counted together.

    Args:
        root: The folder of data.

    Attributes:
        passed_over: {reason: number of files, or of folders where the reason names them}.
        notes: A phrase for every folder of which most recordings are passed over.
    """

    def __init__(self, root: Path):
        self.root = root
        self.passed_over: Counter[str] = Counter()
        self.notes: list[str] = []
        self._real_root = os.path.realpath(root)
        self._seen: set[tuple[int, int]] = set()

    def below(self, name: str) -> list[str]:
        """Paths of the audio files in a folder below the root and in its folders, sorted, with forward slashes.

        Args:
            name: The folder, "" for the root itself.
        """
        before, files = self._unread_recordings(), sorted(self._walk(name))
        passed_over = self._unread_recordings() - before
        if passed_over > len(files):
            place, all_files = name or self.root, len(files) + passed_over
            self.notes.append(f"ATTENTION: of '{place}' only {len(files)} of {all_files} recordings are read")
        return files

    def _unread_recordings(self):
        return sum(self.passed_over[unread(ending)] for ending in UNREAD)

    def _walk(self, below) -> Iterator[str]:
        try:
            if not self._is_new(below):
                self.passed_over[LINKED_TWICE] += 1
                return
            entries = sorted(os.scandir(self.root / below), key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError:
            self.passed_over[UNREADABLE] += 1
            return
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.name.startswith("."):
                self.passed_over[HIDDEN] += 1
            elif entry.is_dir():
                yield from self._below_link(path) if entry.is_symlink() else self._walk(path)
            elif not entry.is_file():
                self.passed_over[NO_FILE] += 1
            elif (ending := os.path.splitext(entry.name)[1].lower()) in EXTENSIONS:
                yield path
            else:
                self.passed_over[unread(ending)] += 1

    def _is_new(self, below):
        status = os.stat(self.root / below)
        identity = status.st_dev, status.st_ino
        new = identity not in self._seen
        self._seen.add(identity)
        return new

    def _below_link(self, path):
        target = os.path.realpath(self.root / path)
        common = os.path.commonpath((target, self._real_root))
        if common in (self._real_root, target):  # in the data folder, or around it
            self.passed_over[LINKED_TWICE] += 1
            return
        yield from self._walk(path)


def unread(ending: str) -> str:
    """Why files of an ending are passed over.

    Args:
        ending: In small letters, with its dot; "" for none.
    """
    convert = "; convert to WAV or FLAC" if ending in UNREAD else ""
    return f"of ending {ending} (not read{convert})" if ending else "without an ending (not read)"


def passed_over_phrase(passed_over: Mapping[str, int]) -> str:
    """What was passed over, by reason, the most frequent first; "" for nothing.

    Args:
        passed_over: {reason: number of files}.
    """
    counts = sorted(passed_over.items(), key=lambda pair: -pair[1])
    reasons = [f"{count:,} {reason}" for reason, count in counts[:_MOST_REASONS] if count]
    if rest := sum(count for _, count in counts[_MOST_REASONS:]):
        reasons.append(f"{rest:,} for other reasons")
    return f"passed over: {', '.join(reasons)}" if reasons else ""
