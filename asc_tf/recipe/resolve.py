"""What does a recipe say, and is it right?

A recipe is a TOML file. A section with a `name` picks a part and its other keys are that part's
settings, checked against the part's signature (registry.py). The fixed sections are the dataclasses of
sections.py. `--set section.key=value` overrides any key (overrides.py). Everything is checked here, before
any data is touched; the resolved recipe, defaults filled in, is what a run folder keeps.
"""

import dataclasses
import os
import tomllib
import typing
from pathlib import Path

import tomli_w

from asc_tf.errors import UserError, nearest
from asc_tf.recipe import overrides as changes
from asc_tf.recipe import registry
from asc_tf.recipe.schema import FIXED, LISTS, PARTS, REQUIRED, Data, Part, Ramp, Recipe, Teacher, label

SHIPPED = Path(__file__).parents[1] / "recipes"


def load(recipe, overrides=(), *, beside=None):
    """The checked Recipe of a shipped name or a TOML file.

    overrides: "section.key=value" texts.  beside: a further folder to look in for the name.
    Raises UserError that names file, key, value, what exists and the nearest match.
    """
    file = find(recipe, beside=beside)
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{file}: is not a readable TOML file: {error}.") from error
    for override in overrides:
        changes.apply(tree, override)
    return from_tree(tree, file)


def find(recipe, *, beside=None):
    """The file of a recipe given as a path or as the name of a shipped one."""
    path = Path(recipe)
    for candidate in (path, *([Path(beside) / f"{recipe}.toml"] if beside else []), SHIPPED / f"{recipe}.toml"):
        if candidate.is_file() and candidate.suffix == ".toml":
            return candidate
    shipped = [file.stem for file in sorted(SHIPPED.glob("*.toml"))]
    raise UserError(f"recipe '{recipe}': there is no such file or shipped recipe. {nearest(path.stem, shipped)}")


def from_tree(tree, file):
    """The checked Recipe of parsed TOML; `file` is named in errors."""
    try:
        return _checked(tree, str(file))
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def named(recipe, name):
    """The Recipe that another one names: a shipped name, or a file, which may lie beside the other."""
    return load(name, beside=Path(recipe.file).parent)


def needed(recipe, _above=()):
    """All recipes whose runs come before a recipe's: what it starts from, its teachers, and what those need.

    Raises UserError where a recipe needs itself.
    """
    names = [teacher.recipe for teacher in recipe.teacher]
    names += [recipe.start.recipe] if recipe.start and recipe.start.recipe else []
    found = []
    for one in (named(recipe, name) for name in names):
        way = (*_above, Path(one.file).resolve())
        if way[-1] in _above:
            told = " -> ".join(file.stem for file in way)
            raise UserError(f"{one.file}: [start] and [[teacher]] lead back to this recipe ({told}); break the circle.")
        found += [*needed(one, way), one]
    return found


def to_toml(recipe):
    """The recipe as TOML text that loads to an equal recipe."""
    tree = {}
    for key, value in ((f.name, getattr(recipe, f.name)) for f in dataclasses.fields(recipe)):
        if key == "file" or value is None or value == ():
            continue
        tree[key] = [_plain(item) for item in value] if isinstance(value, tuple) else _plain(value)
    return tomli_w.dumps(tree)


def differences(one, other):
    """'key: here, there' of all keys in which two recipes differ."""
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
    if "start" in values and (values["start"].recipe is None) == (values["start"].run is None):
        raise UserError("start: give either the recipe whose run is started from, or the run; one of the two.")
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
    of_training = ("epochs", "frozen_epochs", "learning_rate", "follow")
    given = [key for key in of_training if getattr(section, key) is not None]
    beside = [key for key in ("label_weight", "temperature") if getattr(section, key)]
    if section.method == "ptq" and given + beside:
        raise UserError(f'quantise: method = "ptq" does not train: leave {", ".join(given + beside)} out.')
    if section.method == "qat" and len(given) < len(of_training):
        missing = [key for key in of_training if key not in given]
        raise UserError(f'quantise: {", ".join(missing)} missing; or write method = "ptq", which does not train.')
    if section.method == "qat" and section.frozen_epochs > section.epochs:
        raise UserError("quantise: frozen_epochs must not exceed epochs.")
    if section.follow == "teachers" and not teachers:
        raise UserError("quantise: follow = 'teachers', but the recipe has no [[teacher]]; write follow = 'float'.")


def _check_distill(section, teachers, data):
    embeddings = [teacher.layer for teacher in teachers if teacher.layer]
    if (section.embedding_weight != 0) != bool(embeddings) or (section.layer is not None) != bool(embeddings):
        raise UserError(
            "distill: embeddings are learnt from with all three of distill.embedding_weight, distill.layer (the "
            "student's) and a layer of at least one [[teacher]]; set all three or none."
        )
    if section.live and section.crops > 1:
        raise UserError("distill: live teachers hear the student's own clip; leave crops out, or set live = false.")
    if section.ensemble == "weighted" and data.validation_share == 0:
        raise UserError(
            'distill: ensemble = "weighted" is fitted to clips held out from training, and data.validation_share = 0 '
            'holds none out; raise it, or choose ensemble = "mean".'
        )


def _section(key, value):
    if key == "seed":
        return _ranged(
            "seed", registry.check_settings("recipe", {key: value}, {key: registry.REQUIRED}, {key: int})[key], least=0
        )
    if key in LISTS:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UserError(f"'{key}' is a list of sections: write [[{key}]].")
        return tuple(_part(key, item) if key == "augmentation" else _fixed(Teacher, key, item) for item in value)
    if not isinstance(value, dict):
        raise UserError(f"'{key}' is a section: write [{key}].")
    return _part(key, value) if key in PARTS else _fixed(FIXED[key], key, value)


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
    if isinstance(value, Part):
        return {"name": value.name, **value.settings}
    if dataclasses.is_dataclass(value):  # TOML has no word for None: what was left out is left out again
        return {key: item for key, item in dataclasses.asdict(value).items() if item is not None}
    return value


def _flat(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        inner = {label(item): item for item in value} if key in LISTS else value
        flat |= _flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner}
    return flat
