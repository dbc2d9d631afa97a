"""Which failures can the user mend, and how are they told?"""

import difflib


class UserError(Exception):
    """A mistake in a recipe, a file or a folder: one line with the place, the rule and the fix.

    Programs print it without a traceback and exit with status 2.
    """


def nearest(wrong, known):
    """'Did you mean ...? Known: ...' for a name that does not exist."""
    known = [str(name) for name in known]
    close = difflib.get_close_matches(str(wrong), known, n=1, cutoff=0.5)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    return f"{guess}Known: {', '.join(known) if known else 'none'}."
