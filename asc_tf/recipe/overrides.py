"""Overrides of recipe keys: `--set section.key=value`."""

import tomllib
from typing import Any

from asc_tf.errors import UserError, nearest
from asc_tf.recipe.schema import FIXED, LISTS, PARTS, entry_name


def apply(tree: dict[str, Any], text: str) -> None:
    """Sets one key in parsed TOML, in place.

    Args:
        tree: The recipe as tomllib parses it.
        text: "section.key=value"; the value is TOML, or a bare word or path. Entries of a list are named by their
            `name` or `recipe`: "augmentation.freq_mixstyle.p=0.4".

    Raises:
        UserError: Names the text, what exists and the fix.
    """
    path, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text}: write section.key=value.")
    *parents, last = path.strip().split(".")
    section = tree
    for depth, parent in enumerate(parents):
        section = _subsection(section, parent, text, top=depth == 0)
    if not isinstance(section, dict):
        raise UserError(f"--set {text}: name one of the list's entries: {', '.join(map(entry_name, section))}.")
    section[last] = _value(value.strip())


def _subsection(section, key, text, *, top):
    if isinstance(section, list):
        for item in section:
            if entry_name(item) == key:
                return item
        raise UserError(f"--set {text}: the recipe has no '{key}' there. {nearest(key, map(entry_name, section))}")
    if top and key not in LISTS and key not in (*PARTS, *FIXED):
        raise UserError(f"--set {text}: there is no section '{key}'. {nearest(key, (*PARTS, *FIXED, *LISTS))}")
    subsection = section.setdefault(key, [] if key in LISTS else {})
    if not isinstance(subsection, (dict, list)):
        raise UserError(f"--set {text}: '{key}' is a value, not a section.")
    return subsection


def _value(text):
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word or a path
