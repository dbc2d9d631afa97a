"""What does a recipe say, and is it right?

A recipe is a TOML file. A section with a `name` picks a part and its other keys are that part's
settings, checked against the part's signature (registry.py). The fixed sections are the frozen
dataclasses below. `--set section.key=value` overrides any key. Everything is checked here, before
any data is touched; the resolved recipe, defaults filled in, is what a run folder keeps.
"""

import dataclasses
import os
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tomli_w

from asc_tf import registry
from asc_tf.errors import UserError, nearest

SHIPPED = Path(__file__).parent / "recipes"


def _limits(default=dataclasses.MISSING, *, least=None, most=None):
    """A field with an allowed range, both ends included."""
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True)
class Part:
    """A part picked by name, with its settings."""

    name: str
    settings: dict


@dataclass(frozen=True)
class Data:
    """How clips are prepared and how training clips are held out for validation."""

    segment_s: float = _limits(1.0, least=0.1, most=30.0)
    validation_share: float = _limits(0.1, least=0.0, most=0.5)
    validation_seed: int = _limits(1, least=0)
    max_bad_share: float = _limits(0.01, least=0.0, most=1.0)
    prepared_folder: str = "prepared"


@dataclass(frozen=True)
class Train:
    """AdamW with linear warm-up and a cosine to zero, both per step."""

    epochs: int = _limits(least=1)
    batch_size: int = _limits(least=2)
    learning_rate: float = _limits(least=1e-9)
    warmup_steps: int = _limits(least=0)
    weight_decay: float = _limits(least=0.0)


@dataclass(frozen=True)
class Normalise:
    """(x - mean) / deviation of the spectrogram, after its augmentation: by = "constants" takes the two numbers
    given here, "bands" those of every band over the training clips, measured once and kept in the run folder."""

    by: typing.Literal["constants", "bands"]
    mean: float | None = None
    deviation: float | None = _limits(None, least=1e-9)


@dataclass(frozen=True)
class Teacher:
    """Another recipe whose runs (seeds 1 to `runs`) teach; their logits are averaged."""

    recipe: str
    runs: int = _limits(1, least=1)


@dataclass(frozen=True)
class Distill:
    """label_weight * cross entropy + (1 - label_weight) * temperature^2 * KL from the teacher."""

    temperature: float = _limits(least=0.1)
    label_weight: float = _limits(least=0.0, most=1.0)


@dataclass(frozen=True)
class Quantise:
    """Quantisation-aware training; observers and batch norm stand still in the last `frozen_epochs`.

    follow: whose logits are distilled on: "float", those of the network itself before quantisation,
    hearing the same augmented clip, which keeps its decisions; or "teachers", the stored ones.
    """

    epochs: int = _limits(least=1)
    frozen_epochs: int = _limits(least=0)
    learning_rate: float = _limits(least=1e-9)
    follow: Literal["float", "teachers"] = _limits()
    label_weight: float = _limits(0.0, least=0.0, most=1.0)
    calibration_clips: int = _limits(256, least=1)


@dataclass(frozen=True)
class Recipe:
    """A whole resolved recipe. Fixed sections that the file does not have, except `data`, are None."""

    file: str = field(compare=False)
    seed: int = _limits(least=0)
    dataset: Part = None
    feature: Part = None
    model: Part = None
    train: Train = None
    data: Data = field(default_factory=Data)
    normalise: Normalise | None = None
    augmentation: tuple[Part, ...] = ()
    teacher: tuple[Teacher, ...] = ()
    distill: Distill | None = None
    quantise: Quantise | None = None

    @property
    def name(self):
        return Path(self.file).stem


REQUIRED = ("seed", "dataset", "feature", "model", "train")
PARTS = ("dataset", "feature", "model")
FIXED = {"data": Data, "normalise": Normalise, "train": Train, "distill": Distill, "quantise": Quantise}
LISTS = {"augmentation": "name", "teacher": "recipe"}  # section -> the key that tells its entries apart


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
        _override(tree, override)
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
    if "quantise" in values and values["quantise"].frozen_epochs > values["quantise"].epochs:
        raise UserError("quantise: frozen_epochs must not exceed epochs.")
    if "quantise" in values and values["quantise"].follow == "teachers" and "teacher" not in values:
        raise UserError("quantise: follow = 'teachers', but the recipe has no [[teacher]]; write follow = 'float'.")
    if "normalise" in values:
        _check_normalise(values["normalise"])
    return Recipe(file=file, **values)


def _check_normalise(section):
    given = [key for key in ("mean", "deviation") if getattr(section, key) is not None]
    if section.by == "constants" and len(given) < 2:
        raise UserError('normalise: by = "constants" needs both mean and deviation.')
    if section.by == "bands" and given:
        raise UserError(f'normalise: by = "bands" measures its numbers: leave {" and ".join(given)} out.')


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
    settings = registry.check_settings(key, section, defaults, typing.get_type_hints(schema))
    return schema(**{n: _ranged(f"{key}: {n}", value, **fields[n].metadata) for n, value in settings.items()})


def _ranged(where, value, least=None, most=None):
    if value is None:
        return None
    if (least is not None and value < least) or (most is not None and value > most):
        bounds = [f"{word} {bound}" for word, bound in (("at least", least), ("at most", most)) if bound is not None]
        raise UserError(f"{where} = {value} must be {' and '.join(bounds)}.")
    return value


def _expanded(value):
    return os.path.expanduser(os.path.expandvars(value)) if isinstance(value, str) else value


def _override(tree, text):
    path, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text}: write section.key=value.")
    *parents, last = path.strip().split(".")
    place = tree
    for depth, parent in enumerate(parents):
        place = _step(place, parent, text, top=depth == 0)
    if not isinstance(place, dict):
        raise UserError(f"--set {text}: name one of the list's entries: {', '.join(map(_label, place))}.")
    place[last] = _value(value.strip())


def _step(place, key, text, *, top):
    if isinstance(place, list):
        for item in place:
            if _label(item) == key:
                return item
        raise UserError(f"--set {text}: the recipe has no '{key}' there. {nearest(key, map(_label, place))}")
    if top and key not in LISTS and key not in (*PARTS, *FIXED):
        raise UserError(f"--set {text}: there is no section '{key}'. {nearest(key, (*PARTS, *FIXED, *LISTS))}")
    found = place.setdefault(key, [] if key in LISTS else {})
    if not isinstance(found, (dict, list)):
        raise UserError(f"--set {text}: '{key}' is a value, not a section.")
    return found


def _label(item):
    return str(item.get("name", item.get("recipe", "")))


def _value(text):
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word or a path


def _plain(value):
    if isinstance(value, Part):
        return {"name": value.name, **value.settings}
    if dataclasses.is_dataclass(value):  # TOML has no word for None: what was left out is left out again
        return {key: item for key, item in dataclasses.asdict(value).items() if item is not None}
    return value


def _flat(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        inner = {_label(item): item for item in value} if key in LISTS else value
        flat |= _flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner}
    return flat
