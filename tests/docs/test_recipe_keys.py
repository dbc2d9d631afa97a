"""docs/recipes-and-keys.md: its tables have the keys, types, ranges and defaults of the code, no more and no less."""

import dataclasses
import inspect
import types
import typing

import pytest
from markdown_pages import ROOT, tables

from asc_tf.recipe import registry, schema

TABLES = tables(ROOT / "docs/recipes-and-keys.md")
FIXED = {f"[{name}]": section for name, section in schema.FIXED.items()}
FIXED |= {"[[teacher]]": schema.Teacher, "[[member]]": schema.Member, "Ramp": schema.Ramp}
PARTS = [(kind, name) for kind in registry.KINDS for name in registry.names(kind)]
WORDS = {float: "number", int: "whole number", str: "text", bool: "true or false", dict: "table", schema.Ramp: "ramp"}
REQUIRED = (inspect.Parameter.empty, dataclasses.MISSING)


def type_text(hint):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(f'`"{choice}"`' for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(argument) for argument in arguments if argument is not type(None))
    if origin in (list, tuple):
        items = type_text(arguments[0])
        return f"list of {items.replace('list', 'lists', 1) if items.startswith('list') else items + 's'}"
    return WORDS[hint]


def default_text(value):
    if value in REQUIRED:
        return "required"
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{list(value) if isinstance(value, (list, tuple)) else value}`"


def range_text(field):
    least, most = field.metadata.get("least"), field.metadata.get("most")
    if most is not None:
        return f", {least:g} to {most:g}"
    return "" if least is None else f", at least {least:g}"


def documented(heading):
    """(key, type, default) of the rows of a section's table."""
    return [tuple(row[:3]) for row in TABLES[heading]]


@pytest.mark.parametrize("heading", FIXED)
def test_fixed_section_is_documented(heading):
    hints = typing.get_type_hints(FIXED[heading])
    assert documented(heading) == [
        (f"`{field.name}`", type_text(hints[field.name]) + range_text(field), default_text(field.default))
        for field in dataclasses.fields(FIXED[heading])
    ]


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_settings_of_a_part_are_documented(kind, name):
    function = registry.entry(kind, name)
    hints = typing.get_type_hints(function)
    settings = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert documented(name) == [(f"`{p.name}`", type_text(hints[p.name]), default_text(p.default)) for p in settings]


def test_every_row_has_a_meaning():
    sections = [*FIXED, *(name for _, name in PARTS)]
    assert all(len(row) == 4 and row[3] for heading in sections for row in TABLES[heading])


def test_every_section_of_a_recipe_is_a_heading():
    page = (ROOT / "docs/recipes-and-keys.md").read_text()
    sections = {field.name for field in dataclasses.fields(schema.Recipe)} - {*schema.UNWRITTEN, "seed", "labels"}
    assert all(f"[{name}]" in page for name in sections) and "`seed`" in page and "`labels`" in page
