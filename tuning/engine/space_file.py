"""Search spaces: TOML files of recipe keys with a range or choices each.

["model.width"]
kind = "int"        # "int", "float", "log" (float on a logarithmic scale), "choice" or "boolean"
min = 8
max = 64
step = 4            # optional; of "log" a factor

["distill.temperature"]
kind = "choice"
choices = [1.0, 2.0, 4.0]
names = ["one", "two", "four"]             # optional: texts for tables and pictures
when = { "distill.form" = ["textbook"] }   # drawn only with these values of another key
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from asc_tf.errors import UserError, nearest, printable
from asc_tf.recipe import toml_file
from asc_tf.recipe.checks import check_values
from asc_tf.tuning.engine.space import LISTS, RANGES, SearchKey, Space

SHIPPED = Path(__file__).parents[1] / "spaces"
FIELDS = {
    **dict.fromkeys(RANGES, ("kind", "min", "max", "step", "when")),
    "choice": ("kind", "choices", "names", "when"),
    "boolean": ("kind", "when"),
}
# What trials must have in common so that their scores can be compared.
COMMON = ("dataset", "data", "seed", "labels", "member", "fuse")


def find(space: str | Path) -> Path:
    """File of a space, given as a path or as the name of a shipped one.

    Raises:
        UserError: There is no such space.
    """
    path, shipped = Path(space), SHIPPED / f"{space}.toml"
    if path.is_file():
        return path
    if str(space) in names():
        return shipped
    raise UserError(f"space '{space}': there is no such file or shipped space. {nearest(path.stem, names())}")


def names() -> list[str]:
    """Names of the shipped spaces, sorted."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def load(space: str | Path) -> Space:
    """Reads and checks a space, as far as that needs no recipe.

    Args:
        space: Name of a shipped space, or path of a TOML file.

    Raises:
        UserError: Names the file, the key, the rule and the fix.
    """
    file = find(space)
    tree = toml_file.read(file)
    try:
        check_values(tree, "")
        if not tree:
            raise UserError('has no keys; write ["model.width"] with kind, min and max, for example.')
        keys = {name: _key(name, entry) for name, entry in tree.items()}
        for key in keys.values():
            _check_conditions(key, keys)
        return Space(file, {name: keys[name] for name in _ordered(keys)})
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def _key(name, entry):
    if not isinstance(entry, dict) or "kind" not in entry:
        example = '["model.width"], with the quotes, and below it kind = "int"'
        raise UserError(f"{printable(name)}: is no table with a kind; write {example}, min and max.")
    section = name.split(".")[0]
    if section in COMMON:
        raise UserError(f"{name}: all trials have the same {section}, so that their scores can be compared; leave out.")
    kind = entry["kind"]
    if not isinstance(kind, str) or kind not in FIELDS:
        raise UserError(f"{name}: kind = {kind!r} is not a kind. {nearest(kind, FIELDS)}")
    for key in entry:
        if key not in FIELDS[kind]:
            raise UserError(f"{name}: kind '{kind}' has no '{key}'. {nearest(key, FIELDS[kind])}")
    when = _conditions(name, entry.get("when", {}))
    if kind in RANGES:
        return SearchKey(name, kind, *_range(name, kind, entry), when=when)
    choices = (False, True) if kind == "boolean" else _choices(name, entry.get("choices"))
    return SearchKey(name, kind, choices=choices, names=_names(name, entry.get("names"), choices), when=when)


def _range(name, kind, entry):
    """(least, most, step) of a range."""
    wanted = (int,) if kind == "int" else (int, float)
    word = "a whole number" if kind == "int" else "a number"
    for key in ("min", "max", "step"):
        if key not in entry and key != "step":
            raise UserError(f"{name}: {key} is missing; kind '{kind}' needs min and max.")
        if key in entry and (not isinstance(entry[key], wanted) or isinstance(entry[key], bool)):
            raise UserError(f"{name}: {key} = {entry[key]!r} must be {word}.")
    least, most, step = entry["min"], entry["max"], entry.get("step")
    if least > most:
        raise UserError(f"{name}: min = {least} is more than max = {most}; exchange them.")
    if kind == "log" and least <= 0:
        raise UserError(f"{name}: min = {least} must be above 0 for kind 'log'.")
    lowest = 1 if kind == "log" else 0
    if step is not None and step <= lowest:
        raise UserError(f"{name}: step = {step} must be above {lowest}; it is the {_STEPS[kind]} of two values.")
    if kind == "int":
        return least, most, step
    return float(least), float(most), None if step is None else float(step)


_STEPS = {"int": "distance", "float": "distance", "log": "quotient"}


def _choices(name, choices):
    if not isinstance(choices, list) or not choices:
        raise UserError(f"{name}: choices must be a list of at least one value: choices = [1, 2].")
    for position, choice in enumerate(choices):
        if any(_same(choice, other) for other in choices[:position]):
            raise UserError(f"{name}: choices has {json.dumps(choice, default=str)} twice; leave one out.")
    return tuple(choices)


def _names(name, names, choices):
    if names is None:
        return ()
    texts = isinstance(names, list) and all(isinstance(text, str) for text in names)
    if not texts or len(names) != len(choices) or len(set(names)) < len(names):
        raise UserError(f"{name}: names must be {len(choices)} different texts, one for each of choices.")
    return tuple(names)


def _conditions(name, when):
    if not isinstance(when, dict):
        raise UserError(f'{name}: when must be a table: when = {{ "other.key" = [1, 2] }}.')
    lists = {other: value if isinstance(value, list) else [value] for other, value in when.items()}
    for other, values in lists.items():
        if not values:
            raise UserError(f"{name}: when: '{other}' has no values, so that the key is never drawn.")
    return {other: tuple(values) for other, values in lists.items()}


def _check_conditions(key, keys):
    for other, values in key.when.items():
        if other not in keys or other == key.name:
            others = [name for name in keys if name != key.name]
            raise UserError(f"{key.name}: when: the space has no other key '{other}'. {nearest(other, others)}")
        for value in values:
            if not _is_value(keys[other], value):
                known = nearest(value, keys[other].examples)
                raise UserError(f"{key.name}: when: '{other}' is never {value!r}. {known}")


def _is_value(key, value):
    """Whether a key can have a value that a condition names; ranges of numbers without steps have none."""
    if key.kind in LISTS:
        return any(_same(value, choice) for choice in key.choices)
    if key.kind != "int":
        raise UserError(f"when: '{key.name}' is of kind '{key.kind}'; conditions are on int, choice and boolean.")
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and key.least <= value <= key.most and (value - key.least) % (key.step or 1) == 0


def _same(one, other):
    """Equality that tells true from 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _ordered(keys: Mapping[str, SearchKey]) -> Sequence[str]:
    """Names of keys, those that conditions name first."""
    ordered = []
    while len(ordered) < len(keys):
        ready = [n for n, key in keys.items() if n not in ordered and all(other in ordered for other in key.when)]
        if not ready:
            circle = ", ".join(name for name in keys if name not in ordered)
            raise UserError(f"the conditions of {circle} lead back to each other; leave one out.")
        ordered += ready
    return ordered
