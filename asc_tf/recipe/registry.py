"""Registry of parts: datasets, features, augmentations and models, and their settings.

A part is a file of its kind's folder that defines the kind's entry function. The file's name is its name in a recipe,
and the keyword-only arguments of the entry function are its settings. There is no list of names: adding a file adds
a part.
"""

import ast
import functools
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asc_tf.errors import UserError, nearest


class Allowed(NamedTuple):
    """Allowed range of a setting, or of each item of a list, in a signature: `p: Annotated[float, Allowed(0, 1)]`.

    Args:
        least: Smallest allowed value; None where there is no limit.
        most: Largest allowed value; None where there is no limit.
    """

    least: float | None = None
    most: float | None = None


REQUIRED = inspect.Parameter.empty  # the default of a setting that has none

# kind -> (package, entry function).  A leading underscore in a file's name means "not a part".
KINDS = {
    "dataset": ("data.datasets", "listing"),
    "feature": ("features", "build"),
    "augmentation": ("augmentation", "apply"),
    "model": ("models", "build"),
}


def names(kind: str) -> list[str]:
    """Names of all parts of a kind, sorted; reads the folder, imports nothing.

    Args:
        kind: "dataset", "feature", "augmentation" or "model".
    """
    package, entry_function = KINDS[kind]
    files = sorted((Path(__file__).parents[1] / package.replace(".", "/")).glob("[!_]*.py"))
    return [file.stem for file in files if entry_function in _functions(file.read_text())]


def module(kind: str, name: str) -> types.ModuleType:
    """The module of a part.

    Raises:
        UserError: There is no part of that name.
    """
    package, _ = KINDS[kind]
    if name not in names(kind):
        raise UserError(f"{kind}: there is no '{name}'. {nearest(name, names(kind))}")
    return importlib.import_module(f"asc_tf.{package}.{name}")


def entry(kind: str, name: str) -> Callable:
    """The entry function of a part."""
    return getattr(module(kind, name), KINDS[kind][1])


def check(kind: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a part with defaults filled in.

    Raises:
        UserError: A setting does not fit the signature of the part's entry function, or is out of its Allowed there.
    """
    function = entry(kind, name)
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    where = f"{KINDS[kind][0].replace('.', '/')}/{name}"
    return check_settings(where, settings, defaults, typing.get_type_hints(function, include_extras=True))


def check_settings(
    where: str, settings: Mapping[str, Any], defaults: Mapping[str, Any], types_of: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings checked against a schema, with defaults filled in.

    Args:
        where: Start of the error message.
        settings: The given keys and values.
        defaults: Every known key with its default, REQUIRED where it has none.
        types_of: Type of each key.

    Raises:
        UserError: A key is unknown or missing, or a value is of another type.
    """
    for key in settings:
        if key not in defaults:
            raise UserError(f"{where} has no '{key}'. {nearest(key, defaults)}")
    for key, default in defaults.items():
        if default is REQUIRED and key not in settings:
            raise UserError(f"{where} needs '{key}', which has no default; add it to the recipe.")
    return {key: _typed(f"{where}: {key}", value, types_of.get(key)) for key, value in (defaults | settings).items()}


def ranged(where: str, value: Any, least: float | None = None, most: float | None = None) -> Any:
    """The value, or the list of values.

    Args:
        where: Start of the error message.
        value: A number, a list of numbers, or None.
        least: Smallest allowed value; None where there is no limit.
        most: Largest allowed value; None where there is no limit.

    Raises:
        UserError: It is out of range.
    """
    for number in value if isinstance(value, list) else () if value is None else (value,):
        if (least is not None and number < least) or (most is not None and number > most):
            bounds = [
                f"{word} {bound}" for word, bound in (("at least", least), ("at most", most)) if bound is not None
            ]
            raise UserError(f"{where} = {value} must be {' and '.join(bounds)}.")
    return value


@functools.cache  # the sources of all models are parsed for every part of every recipe of a chain
def _functions(source):
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def _typed(where, value, hint):
    """The value as the type hint wants it.  Raises UserError where it is of another type."""
    if hint is None:
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return ranged(where, _typed(where, value, arguments[0]), **arguments[1]._asdict())
    if origin is typing.Literal:
        if value not in arguments:
            raise UserError(f"{where} = {value!r} is not a choice. {nearest(value, arguments)}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _typed_as_one_of(where, value, arguments)
    if origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            raise UserError(f"{where} = {value!r} must be a list.")
        return [_typed(where, item, arguments[0]) for item in value]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{where} = {value!r} must be {_WORDS.get(hint, hint.__name__)}.")
    return value


def _typed_as_one_of(where, value, hints):
    errors = []
    for hint in hints:
        try:
            return _typed(where, value, hint)
        except UserError as error:
            errors.append(error)
    raise errors[0]


_WORDS = {float: "a number", int: "a whole number", str: "text in quotes", bool: "true or false"}
