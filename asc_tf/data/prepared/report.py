"""What is printed of files that cannot be read, and of notes on those that are read."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from asc_tf.errors import UserError, printable

_MOST_REASONS = 6


def check_bad(
    bad: Sequence[tuple[str, str]], files: int, max_bad_share: float, listed: str, *, quiet: bool, program: str
) -> None:
    """Reports files that cannot be read.

    Args:
        bad: (file, reason) of each.
        files: Number of all files.
        max_bad_share: Share of the files that may be unreadable, 0 to 1.
        listed: Sentence on where all are listed, with a blank before it; "" for none.
        quiet: Whether nothing is printed where they are few.
        program: What reads the files, for the printed line.

    Raises:
        UserError: They are more, or all.
    """
    if not bad:
        return
    (first, reason), share = bad[0], len(bad) / files
    # Numbers differ from file to file: what is before them is the kind.
    kinds = [re.split(r"[:;(\d]", reason)[0].strip() for _, reason in bad]
    by_kind = f" ({_counts(kinds)})" if len(set(kinds)) > 1 else ""
    summary = f"{len(bad)} of {files} file(s) cannot be read ({share:.1%}){by_kind}, the first is '{first}': {reason}"
    if len(bad) == files:
        raise UserError(f"{summary}. No clip is left.{listed}")
    if share > max_bad_share:
        fix = f"Mend them, or raise data.max_bad_share = {max_bad_share}"
        raise UserError(f"{summary}.{listed} {fix}.")
    if not quiet:
        print(printable(f"{program}: {summary}; left out.{listed}"), file=sys.stderr)


def print_notes(notes: Sequence[tuple[str, str]], table: Path) -> None:
    """Prints how many files have each note, if there are notes.

    Args:
        notes: (file, note) of each.
        table: File that has them all.
    """
    if notes:
        files = len({file for file, _ in notes})
        line = f"prepare: notes on {files} file(s) that are read: {_counts(note for _, note in notes)}. See {table}."
        print(printable(line), file=sys.stderr)


def _counts(texts: Iterable[str]) -> str:
    """ "3 of one kind, 2 of another", the most frequent first."""
    counts = Counter(texts).most_common()
    some = [f"{count:,} {text}" for text, count in counts[:_MOST_REASONS]]
    if rest := sum(count for _, count in counts[_MOST_REASONS:]):
        some.append(f"{rest:,} for other reasons")
    return ", ".join(some)
