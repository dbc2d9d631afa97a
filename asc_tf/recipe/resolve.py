"""Reading, checking and writing of recipes.

A recipe is a TOML file. A section with a `name` chooses a part and its other keys are that part's
settings, checked against the part's signature (registry.py). The fixed sections are the dataclasses of
schema.py. `--set section.key=value` overrides any key (overrides.py). Everything is checked here, before
any data is read; the resolved recipe, defaults filled in, is stored in the run folder.
"""

import dataclasses
import os
import tomllib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from asc_tf.errors import UserError, nearest
from asc_tf.recipe import labels as label_lists
from asc_tf.recipe import overrides as recipe_overrides
from asc_tf.recipe import registry
from asc_tf.recipe.schema import FIXED, LISTS, PARTS, REQUIRED, Data, Part, Ramp, Recipe, Teacher, entry_name

SHIPPED = Path(__file__).parents[1] / "recipes"


def names() -> list[str]:
    """Names of the shipped recipes, sorted."""
    return [file.stem for file in sorted(SHIPPED.glob("*.toml"))]


def load(recipe: str | Path, overrides: Iterable[str] = (), *, beside: str | Path | None = None) -> Recipe:
    """Reads, checks and resolves a recipe.

    Args:
        recipe: Name of a shipped recipe, or path of a TOML file.
        overrides: "section.key=value" texts, as of `--set`.
        beside: A further folder to look in for the name.

    Returns:
        The resolved Recipe, defaults filled in.

    Raises:
        UserError: Names the file, key, value, what exists and the nearest match.
    """
    file = find(recipe, beside=beside)
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{file}: is not a readable TOML file: {error}.") from error
    for override in overrides:
        recipe_overrides.apply(tree, override)
    return from_tree(tree, file)


def find(recipe: str | Path, *, beside: str | Path | None = None) -> Path:
    """File of a recipe given as a path or as the name of a shipped one.

    Raises:
        UserError: There is no such recipe.
    """
    path = Path(recipe)
    for candidate in (path, *([Path(beside) / f"{recipe}.toml"] if beside else []), SHIPPED / f"{recipe}.toml"):
        if candidate.is_file() and candidate.suffix == ".toml":
            return candidate
    raise UserError(f"recipe '{recipe}': there is no such file or shipped recipe. {nearest(path.stem, names())}")


def from_tree(tree: Mapping[str, Any], file: str | Path) -> Recipe:
    """Checks and resolves parsed TOML.

    Args:
        tree: The recipe as tomllib parses it.
        file: Its path, for errors.

    Raises:
        UserError: Names the file, key, value, what exists and the nearest match.
    """
    try:
        return _checked(tree, str(file))
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def referenced(recipe: Recipe, name: str) -> Recipe:
    """The Recipe that another one names in [init] or [[teacher]].

    Args:
        recipe: The recipe that names it.
        name: Name of a shipped recipe, or a file, which may lie beside that of `recipe`.
    """
    return load(name, beside=Path(recipe.file).parent)


def dependencies(recipe: Recipe) -> list[Recipe]:
    """All recipes whose runs come before a recipe's: those of [init] and [[teacher]], and what those depend on.

    Raises:
        UserError: A recipe depends on itself.
    """
    return _dependencies(recipe, ())


def _dependencies(recipe, above):
    """above: files of the recipes that led here."""
    references = [teacher.recipe for teacher in recipe.teacher]
    references += [recipe.init.recipe] if recipe.init and recipe.init.recipe else []
    recipes = []
    for dependency in (referenced(recipe, name) for name in references):
        path = (*above, Path(dependency.file).resolve())
        if path[-1] in above:
            circle = " -> ".join(file.stem for file in path)
            raise UserError(
                f"{dependency.file}: [init] and [[teacher]] lead back to this recipe ({circle}); break the circle."
            )
        recipes += [*_dependencies(dependency, path), dependency]
    return recipes


def to_toml(recipe: Recipe) -> str:
    """TOML text of a recipe; it loads to an equal recipe."""
    tree = {}
    for key, value in ((f.name, getattr(recipe, f.name)) for f in dataclasses.fields(recipe)):
        if key == "file" or value is None or value == ():
            continue
        tree[key] = [_plain(item) for item in value] if isinstance(value, tuple) else _plain(value)
    return tomli_w.dumps(tree)


def differences(one: Recipe, other: Recipe) -> list[str]:
    """Keys in which two recipes differ, each as 'key: value of one, value of the other'."""
    flat_one, flat_other = (_flat(tomllib.loads(to_toml(recipe))) for recipe in (one, other))
    keys = sorted(set(flat_one) | set(flat_other))
    return [f"{k}: {flat_one.get(k)!r}, {flat_other.get(k)!r}" for k in keys if flat_one.get(k) != flat_other.get(k)]


def _checked(tree, file):
    sections = [f.name for f in dataclasses.fields(Recipe) if f.name != "file"]
    for key in tree:
        if key not in sections:
            raise UserError(f"there is no section or key '{key}'. {nearest(key, sections)}")
    for key in REQUIRED:
        if key not in tree:
            raise UserError(f"'{key}' is missing; every recipe needs {', '.join(REQUIRED)}.")
    values = {key: _section(key, value) for key, value in tree.items()}
    if bool(values.get("teacher")) != ("distill" in values):
        raise UserError("[distill] and [[teacher]] belong together: one of them is missing.")
    if "quantise" in values:
        _check_quantise(values["quantise"], values.get("teacher"))
    if "init" in values and (values["init"].recipe is None) == (values["init"].run is None):
        raise UserError("init: give either the recipe whose run training starts from, or the run; one of the two.")
    if "normalise" in values:
        _check_normalise(values["normalise"])
    if "distill" in values:
        _check_distill(values["distill"], values["teacher"], values.get("data", Data()))
    if "hierarchy" in values and (values["hierarchy"].branches == "two") != (values["hierarchy"].layer is not None):
        raise UserError('hierarchy: branches = "two" needs the layer that its head reads, and "one" has none.')
    return Recipe(file=file, **values)


def _check_normalise(section):
    given = [key for key in ("mean", "std") if getattr(section, key) is not None]
    if section.by == "constants" and len(given) < 2:
        raise UserError('normalise: by = "constants" needs both mean and std.')
    if section.by == "bands" and given:
        raise UserError(f'normalise: by = "bands" measures its numbers: leave {" and ".join(given)} out.')


def _check_quantise(section, teachers):
    required = ("epochs", "frozen_epochs", "learning_rate", "distil_from")
    given = [key for key in required if getattr(section, key) is not None]
    optional = [key for key in ("label_weight", "temperature") if getattr(section, key)]
    if section.method == "ptq" and given + optional:
        raise UserError(f'quantise: method = "ptq" does not train: leave {", ".join(given + optional)} out.')
    if section.method == "qat" and len(given) < len(required):
        missing = [key for key in required if key not in given]
        raise UserError(f'quantise: {", ".join(missing)} missing; or write method = "ptq", which does not train.')
    if section.method == "qat" and section.frozen_epochs > section.epochs:
        raise UserError("quantise: frozen_epochs must not exceed epochs.")
    if section.distil_from == "teachers" and not teachers:
        raise UserError(
            "quantise: distil_from = 'teachers', but the recipe has no [[teacher]]; write distil_from = 'float'."
        )


def _check_distill(section, teachers, data):
    embeddings = [teacher.layer for teacher in teachers if teacher.layer]
    if (section.embedding_weight != 0) != bool(embeddings) or (section.layer is not None) != bool(embeddings):
        raise UserError(
            "distill: embedding distillation needs all three of distill.embedding_weight, distill.layer (the "
            "student's) and a layer of at least one [[teacher]]; set all three or none."
        )
    if section.online and section.crops > 1:
        raise UserError(
            "distill: online teachers see the student's augmented clip; leave crops out, or set online = false."
        )
    if section.ensemble == "weighted" and data.validation_share == 0:
        raise UserError(
            'distill: ensemble = "weighted" is fitted on clips held out from training, and data.validation_share = 0 '
            'holds none out; raise it, or choose ensemble = "mean".'
        )


def _section(key, value):
    if key == "seed":
        return _ranged(
            "seed", registry.check_settings("recipe", {key: value}, {key: registry.REQUIRED}, {key: int})[key], least=0
        )
    if key == "labels":
        return _labels(value)
    if key in LISTS:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UserError(f"'{key}' is a list of sections: write [[{key}]].")
        return tuple(_part(key, item) if key == "augmentation" else _fixed(Teacher, key, item) for item in value)
    if not isinstance(value, dict):
        raise UserError(f"'{key}' is a section: write [{key}].")
    return _part(key, value) if key in PARTS else _fixed(FIXED[key], key, value)


def _labels(value):
    if isinstance(value, str):
        return label_lists.read(value)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UserError(f"labels = {value!r} must be a list of texts, or one of {', '.join(label_lists.names())}.")
    return tuple(value)


def _part(kind, section):
    if "name" not in section:
        raise UserError(f"{kind}: 'name' is missing. Known: {', '.join(registry.names(kind))}.")
    name = section["name"]
    settings = {key: _expanded(value) for key, value in section.items() if key != "name"}
    registry.module(kind, name)
    return Part(name, registry.check(kind, name, settings))


def _fixed(schema, key, section):
    fields = {f.name: f for f in dataclasses.fields(schema)}
    defaults = {n: registry.REQUIRED if f.default is dataclasses.MISSING else f.default for n, f in fields.items()}
    types = typing.get_type_hints(schema)
    section = {n: _fixed(Ramp, f"{key}.{n}", v) if _may_ramp(types.get(n), v) else v for n, v in section.items()}
    settings = registry.check_settings(key, section, defaults, types)
    return schema(**{n: _ranged(f"{key}: {n}", value, **fields[n].metadata) for n, value in settings.items()})


def _may_ramp(hint, value):
    return isinstance(value, dict) and Ramp in typing.get_args(hint)


def _ranged(where, value, least=None, most=None):
    """The value.  Raises UserError where it is out of range."""
    if value is None:
        return None
    if isinstance(value, Ramp):
        if value.first_epoch >= value.last_epoch:
            raise UserError(
                f"{where}: last_epoch = {value.last_epoch} must be after first_epoch = {value.first_epoch}."
            )
        for end in (value.start, value.end):
            _ranged(where, end, least, most)
        return value
    if (least is not None and value < least) or (most is not None and value > most):
        bounds = [f"{word} {bound}" for word, bound in (("at least", least), ("at most", most)) if bound is not None]
        raise UserError(f"{where} = {value} must be {' and '.join(bounds)}.")
    return value


def _expanded(value):
    return os.path.expanduser(os.path.expandvars(value)) if isinstance(value, str) else value


def _plain(value):
    # TOML has no None: what was left out is left out again.
    if isinstance(value, Part):
        return {"name": value.name} | {key: item for key, item in value.settings.items() if item is not None}
    if dataclasses.is_dataclass(value):
        return {key: item for key, item in dataclasses.asdict(value).items() if item is not None}
    return value


def _flat(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        inner = {entry_name(item): item for item in value} if key in LISTS else value
        flat |= _flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner}
    return flat
