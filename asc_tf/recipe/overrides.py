"""What does `--set section.key=value` change in a recipe?"""

import tomllib

from asc_tf.errors import UserError, nearest
from asc_tf.recipe.schema import FIXED, LISTS, PARTS, label


def apply(tree, text):
    """Sets, in parsed TOML, what a "section.key=value" text says.  Raises UserError that names the text and the fix."""
    path, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text}: write section.key=value.")
    *parents, last = path.strip().split(".")
    place = tree
    for depth, parent in enumerate(parents):
        place = _step(place, parent, text, top=depth == 0)
    if not isinstance(place, dict):
        raise UserError(f"--set {text}: name one of the list's entries: {', '.join(map(label, place))}.")
    place[last] = _value(value.strip())


def _step(place, key, text, *, top):
    if isinstance(place, list):
        for item in place:
            if label(item) == key:
                return item
        raise UserError(f"--set {text}: the recipe has no '{key}' there. {nearest(key, map(label, place))}")
    if top and key not in LISTS and key not in (*PARTS, *FIXED):
        raise UserError(f"--set {text}: there is no section '{key}'. {nearest(key, (*PARTS, *FIXED, *LISTS))}")
    found = place.setdefault(key, [] if key in LISTS else {})
    if not isinstance(found, (dict, list)):
        raise UserError(f"--set {text}: '{key}' is a value, not a section.")
    return found


def _value(text):
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word or a path
