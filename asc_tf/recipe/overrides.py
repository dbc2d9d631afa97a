"""Overrides of recipe keys: `--set section.key=value`, also in all recipes of a chain, and files of such values."""

import re
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from asc_tf.errors import UserError, nearest
from asc_tf.recipe import toml_file
from asc_tf.recipe.schema import FIXED, LISTS, PARTS, Change, entry_name

_OF_CHAIN = re.compile(r"([^\s:=.\[\]{}\"']+):([^=]+)=(.*)", re.DOTALL)  # PATTERN:section.key=value


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
    assign(tree, path.strip(), _value(value.strip()), f"--set {text}")


def assign(tree: dict[str, Any], path: str, value: Any, source: str) -> None:
    """Sets one key in parsed TOML, in place.

    Args:
        tree: The recipe as tomllib parses it.
        path: "section.key" or "section".
        value: Value as tomllib parses it.
        source: What the value comes from, for errors.

    Raises:
        UserError: There is no such section or entry.
    """
    *parents, last = path.split(".")
    section = tree
    for depth, parent in enumerate(parents):
        section = _subsection(section, parent, source, top=depth == 0)
    if not isinstance(section, dict):
        raise UserError(f"{source}: name one of the list's entries: {', '.join(map(entry_name, section))}.")
    section[last] = value


def of_chain(texts: Iterable[str]) -> tuple[list[str], list[Change]]:
    """Divides texts of `--set` into those for one recipe and those for all recipes whose name matches a pattern.

    Args:
        texts: "section.key=value" or "PATTERN:section.key=value".

    Returns:
        The texts without a pattern, and the changes of those with one.
    """
    plain, changes = [], []
    for text in texts:
        match = _OF_CHAIN.fullmatch(text)
        if match:
            pattern, path, value = match.groups()
            changes.append(Change(pattern, path.strip(), _value(value.strip()), f"--set {text}", must_match=True))
        else:
            plain.append(text)
    return plain, changes


def read(file: Path) -> list[Change]:
    """Changes of a TOML file: a table for every pattern of recipes' names, of "section.key" = value.

    Raises:
        UserError: The file is absent or not of that form.
    """
    tables = toml_file.read(file)
    for pattern, table in tables.items():
        if not isinstance(table, dict):
            raise UserError(f'{file}: \'{pattern}\' is a value; write a table ["PATTERN"] of "section.key" = value.')
    return [
        Change(pattern, path, value, f"{file}: {path}", must_match=False)
        for pattern, table in tables.items()
        for path, value in table.items()
    ]


def matches(change: Change, name: str) -> bool:
    """Whether a change applies to the recipe of a name."""
    return fnmatch(name, change.pattern)


def _subsection(section, key, source, *, top):
    if isinstance(section, list):
        for item in section:
            if entry_name(item) == key:
                return item
        raise UserError(f"{source}: the recipe has no '{key}' there. {nearest(key, map(entry_name, section))}")
    if top and key not in LISTS and key not in (*PARTS, *FIXED):
        raise UserError(f"{source}: there is no section '{key}'. {nearest(key, (*PARTS, *FIXED, *LISTS))}")
    subsection = section.setdefault(key, [] if key in LISTS else {})
    if not isinstance(subsection, (dict, list)):
        raise UserError(f"{source}: '{key}' is a value, not a section.")
    return subsection


def _value(text):
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text  # a bare word or a path
