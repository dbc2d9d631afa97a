"""The error type for mistakes that a user can correct."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in a recipe, a file or a folder: one line with the place, the rule and the fix.

    Programs print it without a traceback and exit with status 2.
    """


def nearest(wrong: object, known: Iterable[object]) -> str:
    """End of an error message about a name that does not exist: 'Did you mean ...? Known: ...'.

    Args:
        wrong: The name that was given.
        known: All names that exist.
    """
    names = [str(name) for name in known]
    close = difflib.get_close_matches(str(wrong), names, n=1, cutoff=0.5)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    return f"{guess}Known: {', '.join(names) if names else 'none'}."


def printable(text: str) -> str:
    """A text in one line that a terminal can show.

    Args:
        text: Any text, such as the name of a file.

    Returns:
        The text, with control and format characters, line ends, blanks that are no space, and surrogates (bytes of
        names that are not UTF-8) as escapes: "\\n", "\\x1b", "\\u2028", "\\udcff".
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
