"""Which parts exist, and which settings does each take?

A part is a file of its kind's folder that defines the kind's entry function; the file's name is
its name in a recipe, and the keyword-only arguments of the entry function are its settings. There
is no list of names: adding a file adds a part.
"""

import ast
import importlib
import inspect
import types
import typing
from pathlib import Path

from asc_tf.errors import UserError, nearest

REQUIRED = inspect.Parameter.empty  # the default of a setting that has none

# kind -> (folder, entry function).  A leading underscore in a file's name means "not a part".
KINDS = {
    "dataset": ("data/datasets", "listing"),
    "feature": ("features", "build"),
    "augmentation": ("augmentation", "apply"),
    "model": ("models", "build"),
}


def names(kind):
    """The names of all parts of a kind, sorted; reads the folder, imports nothing."""
    folder, entry = KINDS[kind]
    files = sorted((Path(__file__).parents[1] / folder).glob("[!_]*.py"))
    return [file.stem for file in files if entry in _functions(file)]


def module(kind, name):
    """The module of a part.  Raises UserError when there is none of that name."""
    folder, _ = KINDS[kind]
    if name not in names(kind):
        raise UserError(f"{kind}: there is no '{name}'. {nearest(name, names(kind))}")
    return importlib.import_module(f"asc_tf.{folder.replace('/', '.')}.{name}")


def entry(kind, name):
    """The entry function of a part."""
    return getattr(module(kind, name), KINDS[kind][1])


def check(kind, name, settings):
    """The settings with defaults filled in; raises UserError unless they fit the part's signature."""
    function = entry(kind, name)
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    return check_settings(f"{KINDS[kind][0]}/{name}", settings, defaults, typing.get_type_hints(function))


def check_settings(where, settings, defaults, types_of):
    """The same for any schema: `defaults` holds every known key (REQUIRED where none), `types_of` its type."""
    for key in settings:
        if key not in defaults:
            raise UserError(f"{where} has no '{key}'. {nearest(key, defaults)}")
    for key, default in defaults.items():
        if default is REQUIRED and key not in settings:
            raise UserError(f"{where} needs '{key}', which has no default; add it to the recipe.")
    return {key: _fit(f"{where}: {key}", value, types_of.get(key)) for key, value in (defaults | settings).items()}


def _functions(file):
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


def _fit(where, value, hint):
    if hint is None:
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if value not in arguments:
            raise UserError(f"{where} = {value!r} is not a choice. {nearest(value, arguments)}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _fit_any(where, value, arguments)
    if origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            raise UserError(f"{where} = {value!r} must be a list.")
        return [_fit(where, item, arguments[0]) for item in value]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{where} = {value!r} must be {_WORDS.get(hint, hint.__name__)}.")
    return value


def _fit_any(where, value, hints):
    errors = []
    for hint in hints:
        try:
            return _fit(where, value, hint)
        except UserError as error:
            errors.append(error)
    raise errors[0]


_WORDS = {float: "a number", int: "a whole number", str: "text in quotes", bool: "true or false"}
