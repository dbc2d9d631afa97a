"""The meta information of a system, a YAML file: written from runs, and checked against the rules of its year."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from asc_tf.submission.rules import DEVICES, MOST_ABBREVIATION, MOST_ENTRIES, SCENES, Year

LABEL = re.compile(r"[A-Za-z0-9-]+_[A-Za-z0-9-]+_task1_([0-9]+)")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PLACEHOLDERS = re.compile(r"^(TODO\b.*|x{3,}|\?+|tbd)$", re.IGNORECASE)
AUTHOR = ("lastname", "firstname", "email", "affiliation")
EXTERNAL = ("name", "url", "total_audio_length")
SCORES = ("accuracy", "logloss")


class Meta:
    """A YAML file with the line of every value.

    Args:
        file: The file.

    Raises:
        yaml.YAMLError: It is not YAML.
    """

    def __init__(self, file: Path):
        self.file, self._lines = file, {}
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        self.tree = self._read(node, ()) if node else {}

    def _read(self, node, path):
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return {key.value: self._read(value, (*path, key.value)) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [self._read(value, (*path, index)) for index, value in enumerate(node.value)]
        return yaml.safe_load(yaml.serialize(node))

    def get(self, *path: str | int) -> Any:
        """The value at a path, None where there is none."""
        value = self.tree
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def at(self, *path: str | int) -> str:
        """'FILE:LINE: path' of a value, or of the nearest one above it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self._lines:
                return f"{self.file}:{self._lines[path[:end]]}: {'.'.join(map(str, path))}"
        return f"{self.file}: {'.'.join(map(str, path))}"

    def scalars(self) -> Iterator[tuple[tuple, Any]]:
        """(path, value) of every value that is neither a list nor a mapping."""
        for path in self._lines:
            value = self.get(*path)
            if not isinstance(value, dict | list):
                yield path, value


def defects(file: Path, year: Year) -> list[str]:
    """What is wrong with a meta file.

    Args:
        file: The file, LABEL.meta.yaml.
        year: The rules.

    Returns:
        Messages, "FILE:LINE: path: rule; fix".
    """
    try:
        meta = Meta(file)
    except UnicodeDecodeError:
        return [f"{file}: is not UTF-8; write it anew as UTF-8."]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or error
        return [f"{file}{line}: is not YAML ({reason}); mend the line or the one before."]
    if not isinstance(meta.tree, dict):
        return [f"{file}: is not a mapping; it has the blocks submission, system and results."]
    blocks = ("submission", "system", "results")
    found = [f"{file}: the block {block} is missing; add it." for block in blocks if block not in meta.tree]
    for path, value in meta.scalars():
        if PLACEHOLDERS.match(str(value)):
            found.append(f"{meta.at(*path)}: still holds the placeholder '{value}'; fill it in.")
    if "submission" in meta.tree:
        found += _submission(meta)
    if "system" in meta.tree:
        found += _system(meta, year)
    if "results" in meta.tree:
        found += _results(meta, year)
    return found


def inference_code(file: Path) -> Any:
    """system.inference_code of a meta file; None where it has none or cannot be read.

    Args:
        file: The file.
    """
    try:
        return Meta(file).get("system", "inference_code")
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def _missing(meta: Meta, path: tuple, names: tuple[str, ...]) -> Iterator[str]:
    block = meta.get(*path)
    if not isinstance(block, Mapping):
        yield f"{meta.at(*path)}: is not a mapping; it has {', '.join(names)}."
        return
    for name in names:
        if name not in block:
            yield f"{meta.at(*path)}: {name} is missing; add it."


def _submission(meta: Meta) -> Iterator[str]:
    yield from _missing(meta, ("submission",), ("label", "name", "abbreviation", "authors"))
    label, where = str(meta.get("submission", "label")), meta.at("submission", "label")
    matched = LABEL.fullmatch(label)
    if not matched:
        yield f"{where}: '{label}' is not LASTNAME_INSTITUTE_task1_NUMBER; write it so."
    elif not 1 <= int(matched[1]) <= MOST_ENTRIES:
        yield f"{where}: its number {matched[1]} is not 1 to {MOST_ENTRIES}; number your entries so."
    elif meta.file.name.partition(".")[0] != label:
        yield f"{where}: '{label}' is not the label in the file's name; make both equal."
    abbreviation = str(meta.get("submission", "abbreviation") or "")
    if len(abbreviation) > MOST_ABBREVIATION:
        where = meta.at("submission", "abbreviation")
        yield f"{where}: has {len(abbreviation)} characters; {MOST_ABBREVIATION} at most."
    authors = meta.get("submission", "authors")
    if not isinstance(authors, list) or not authors:
        yield f"{meta.at('submission', 'authors')}: is not a list of authors; name them."
        return
    for index, author in enumerate(authors):
        path = ("submission", "authors", index)
        yield from _missing(meta, path, AUTHOR)
        email = author.get("email") if isinstance(author, Mapping) else None
        if email is not None and not EMAIL.fullmatch(str(email)):
            yield f"{meta.at(*path, 'email')}: '{email}' is not an address; write name@domain."
    count = sum(isinstance(one, Mapping) and one.get("corresponding") is True for one in authors)
    if count != 1:
        yield f"{meta.at('submission', 'authors')}: {count} authors have corresponding: true; mark exactly one."


def _system(meta: Meta, year: Year) -> Iterator[str]:
    yield from _missing(meta, ("system",), year.system)
    if meta.get("system", "description") is not None:
        yield from _missing(meta, ("system", "description"), year.description)
    if meta.get("system", "complexity") is not None:
        yield from _complexity(meta, year)
    external = meta.get("system", "external_datasets")
    for index, _ in enumerate(external if isinstance(external, list) else []):
        yield from _missing(meta, ("system", "external_datasets", index), EXTERNAL)


def _complexity(meta: Meta, year: Year) -> Iterator[str]:
    path = ("system", "complexity")
    yield from _missing(meta, path, year.complexity)
    for name, limit, unit in (
        ("total_parameters", None, ""),
        ("total_model_size", year.max_bytes, " bytes"),
        ("macs", year.max_macs, ""),
    ):
        value = meta.get(*path, name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            yield f"{meta.at(*path, name)}: '{value}' is not a whole number; write the count."
        elif limit and value > limit:
            yield f"{meta.at(*path, name)}: {value:,}{unit} are over the limit of {limit:,}; submit a smaller network."


def _results(meta: Meta, year: Year) -> Iterator[str]:
    root = ("results", "development_dataset")
    yield from _missing(meta, ("results",), ("development_dataset",))
    known = [block for block in year.blocks if meta.get(*root, block) is not None]
    if year.by_device and not known:
        yield f"{meta.at(*root)}: holds none of {' and '.join(year.blocks)}; give the results of the networks."
    for block in year.blocks:
        path = (*root, block)
        if block not in known:
            if not year.by_device:
                yield f"{meta.at(*path)}: is missing; give the results of every split: {', '.join(year.blocks)}."
            continue
        yield from _missing(meta, path, ("overall", "class_wise", "device_wise"))
        yield from _scores(meta, (*path, "overall"))
        for block, names in (("class_wise", SCENES), ("device_wise", DEVICES)):
            if isinstance(meta.get(*path, block), Mapping):
                yield from _missing(meta, (*path, block), names)
                for name in [name for name in names if meta.get(*path, block, name) is not None]:
                    yield from _scores(meta, (*path, block, name))


def _scores(meta: Meta, path: tuple) -> Iterator[str]:
    if meta.get(*path) is None:
        return
    yield from _missing(meta, path, SCORES)
    for name, most in (("accuracy", 100), ("logloss", float("inf"))):
        value = meta.get(*path, name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            yield f"{meta.at(*path, name)}: '{value}' is not a number; write the figure."
        elif not 0 <= value <= most:
            yield f"{meta.at(*path, name)}: {value} is not within 0 and {most:g}; accuracies are in per cent."
