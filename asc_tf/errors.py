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
