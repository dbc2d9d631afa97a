"""Checks of a parsed recipe: sections, keys, types, ranges, and what belongs together."""

import dataclasses
import math
import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asc_tf.errors import UserError, nearest
from asc_tf.recipe import labels as label_lists
from asc_tf.recipe import registry
from asc_tf.recipe.schema import (
    FIXED,
    LISTS,
    OF_SYSTEM,
    PARTS,
    REQUIRED,
    UNWRITTEN,
    Changes,
    Data,
    Member,
    Part,
    Ramp,
    Recipe,
    Teacher,
)

ENTRIES = {"teacher": Teacher, "member": Member}  # list of sections -> dataclass of an entry
LARGEST = 2**31 - 1  # of whole numbers, which TensorFlow keeps in 32 bits
DEEPEST = 20  # sections and lists within each other


def from_tree(tree: Mapping[str, Any], file: str | Path, changes: Changes | None = None) -> Recipe:
    """Checks and resolves parsed TOML.

    Args:
        tree: The recipe as tomllib parses it.
        file: Its path, for errors.
        changes: What was set in it, for the recipes that it depends on.

    Raises:
        UserError: Names the file, key, value, what exists and the nearest match.
    """
    try:
        return _checked(tree, str(file), changes or Changes())
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def expanded(value: Any) -> Any:
    """A value, `~` and variables of the environment expanded where it is a text."""
    return os.path.expanduser(os.path.expandvars(value)) if isinstance(value, str) else value


def check_values(value: Any, where: str, depth: int = 0) -> None:
    """Checks every number and text of a tree: finite, whole numbers of 32 bits, no character with the number 0.

    Args:
        value: A table, a list or a value, as tomllib parses it.
        where: Its key, for errors.
        depth: Number of tables and lists around it.

    Raises:
        UserError: Names the key and the rule.
    """
    if depth > DEEPEST:
        raise UserError(f"{where}: there are more than {DEEPEST} sections and lists within each other.")
    if isinstance(value, dict):
        for key, item in value.items():
            check_values(key, f"key {key!r}")
            check_values(item, f"{where}: {key}" if where else key, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_values(item, where, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where} = {value} must be a finite number.")
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise UserError(f"{where} is a whole number beyond {LARGEST:,}; choose a smaller one.")
    elif isinstance(value, str) and "\0" in value:
        raise UserError(f"{where} has a character with the number 0, which no name or path can have; leave it out.")


def _checked(tree, file, changes):
    check_values(tree, "")
    sections = [f.name for f in dataclasses.fields(Recipe) if f.name not in UNWRITTEN]
    for key in tree:
        if key not in sections:
            raise UserError(f"there is no section or key '{key}'. {nearest(key, sections)}")
    _check_sections(tree)
    values = {key: _section(key, value) for key, value in tree.items()}
    if bool(values.get("teacher")) != ("distill" in values):
        raise UserError("[distill] and [[teacher]] belong together: one of them is missing.")
    if "quantise" in values:
        _check_quantise(values["quantise"], values.get("teacher"))
    if "data" in values and values["data"].audio_url and values["data"].read != "direct":
        raise UserError('data: audio_url is for read = "direct", which decodes the files where they are.')
    if "train" in values:
        _check_train(values["train"], values["dataset"])
    if "init" in values:
        _check_init(values["init"])
    if "normalise" in values:
        _check_normalise(values["normalise"])
    if "distill" in values:
        _check_distill(values["distill"], values["teacher"], values.get("data", Data()))
    if "hierarchy" in values and (values["hierarchy"].branches == "two") != (values["hierarchy"].layer is not None):
        raise UserError('hierarchy: branches = "two" needs the layer that its head reads, and "one" has none.')
    for key in ("per_device", "quantise"):
        _check_without(key, getattr(values.get(key), "without", ()), values.get("augmentation", ()))
    if "per_device" in values:
        _check_per_device(values["per_device"])
    _check_runs("teacher", values.get("teacher", ()))
    _check_members(values.get("member", ()))
    return Recipe(file=file, changes=changes, **values)


def _check_sections(tree):
    if bool(tree.get("member")) != ("fuse" in tree):
        raise UserError("[[member]] and [fuse] belong together: one of them is missing.")
    if tree.get("member"):
        others = [key for key in tree if key not in OF_SYSTEM]
        if others:
            raise UserError(
                f"a recipe with [[member]] is a system of several networks, each with its own recipe: leave "
                f"{', '.join(others)} out; it has {', '.join(OF_SYSTEM)}."
            )
    required = ("seed", "dataset") if tree.get("member") else REQUIRED
    for key in required:
        if key not in tree:
            raise UserError(f"'{key}' is missing; every such recipe needs {', '.join(required)}.")


def _check_train(section, dataset):
    several = getattr(registry.module("dataset", dataset.name), "MULTI_LABEL", False)
    if several and (section.class_weights is not None or section.balance):
        raise UserError(
            f"train: class_weights and balance need one class a clip; {dataset.name} has several: leave out."
        )
    if isinstance(section.class_weights, dict):
        for label, weight in section.class_weights.items():
            number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
            if not number or weight <= 0:
                raise UserError(f"train: class_weights of {ascii(label)} = {weight!r} must be a number above 0.")


def _check_init(section):
    if (section.recipe is None) == (section.run is None):
        raise UserError("init: give either the recipe whose run training starts from, or the run; one of the two.")
    if section.run and (section.same_data or section.seed is not None):
        raise UserError("init: same_data and seed are for a recipe that is trained; a run has its own: leave them out.")


def _check_without(key, without, augmentations):
    names = [part.name for part in augmentations]
    if wrong := [name for name in without if name not in names]:
        raise UserError(f"{key}: without = '{wrong[0]}' is no augmentation here. {nearest(wrong[0], names)}")


def _check_per_device(section):
    if "" in section.devices or len(set(section.devices)) < len(section.devices):
        raise UserError("per_device: devices must be names of devices, each once.")


def _check_runs(key, entries):
    for entry in entries:
        if bool(entry.recipe) == bool(entry.run):
            raise UserError(f"{key}: give either a recipe or the folder of a run; one of the two.")
        if entry.run and entry.runs != 1:
            raise UserError(f"{key}: runs is for a recipe; a folder is one run.")
        if entry.run and getattr(entry, "ensemble", "apart") != "apart":
            raise UserError(f"{key}: ensemble merges the runs of a recipe; a folder is one run: leave it out.")


def _check_members(members):
    _check_runs("member", members)
    if members and sum(member.runs for member in members) < 2:
        raise UserError("member: a system has at least two members; add another [[member]].")


def _check_normalise(section):
    given = [key for key in ("mean", "std") if getattr(section, key) is not None]
    if section.by == "constants" and len(given) < 2:
        raise UserError('normalise: by = "constants" needs both mean and std.')
    if section.by == "bands" and given:
        raise UserError(f'normalise: by = "bands" measures its numbers: leave {" and ".join(given)} out.')


def _check_quantise(section, teachers):
    required = ("epochs", "frozen_epochs", "learning_rate", "distil_from")
    given = [key for key in required if getattr(section, key) is not None]
    optional = [key for key in ("label_weight", "temperature", "without") if getattr(section, key)]
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
        settings = registry.check_settings("recipe", {key: value}, {key: registry.REQUIRED}, {key: int})
        return _within("seed", settings[key], {"least": 0})
    if key == "labels":
        return _labels(value)
    if key in LISTS:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UserError(f"'{key}' is a list of sections: write [[{key}]].")
        return tuple(_part(key, item) if key == "augmentation" else _fixed(ENTRIES[key], key, item) for item in value)
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
    settings = {key: expanded(value) for key, value in section.items() if key != "name"}
    registry.module(kind, name)
    return Part(name, registry.check(kind, name, settings))


def _fixed(schema, key, section):
    fields = {f.name: f for f in dataclasses.fields(schema)}
    defaults = {n: registry.REQUIRED if f.default is dataclasses.MISSING else f.default for n, f in fields.items()}
    types = typing.get_type_hints(schema)
    section = {n: _fixed(Ramp, f"{key}.{n}", v) if _may_ramp(types.get(n), v) else v for n, v in section.items()}
    settings = registry.check_settings(key, section, defaults, types)
    return schema(**{n: _within(f"{key}: {n}", value, fields[n].metadata) for n, value in settings.items()})


def _may_ramp(hint, value):
    return isinstance(value, dict) and Ramp in typing.get_args(hint)


def _within(where, value, range_of):
    """The value.  Raises UserError where it, or one end of a Ramp, is out of range."""
    if not isinstance(value, Ramp):
        return registry.ranged(where, value, **range_of)
    if value.first_epoch >= value.last_epoch:
        raise UserError(f"{where}: last_epoch = {value.last_epoch} must be after first_epoch = {value.first_epoch}.")
    for end in (value.start, value.end):
        registry.ranged(where, end, **range_of)
    return value
