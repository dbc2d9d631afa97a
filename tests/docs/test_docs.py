"""README and docs: commands parse, recipes resolve, Python runs, links lead somewhere, nothing is left out."""

import argparse
import ast
import importlib
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
from markdown_pages import DOCS, PAGES, ROOT, anchors, blocks, commands, commands_of_head, tables

import asc_tf
from asc_tf import __main__ as asc_tf_program
from asc_tf import command_line
from asc_tf.checkpoints import public
from asc_tf.cost import measure
from asc_tf.data.download import archives
from asc_tf.inference import forms
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe import checks, registry, resolve
from asc_tf.runs import layout
from asc_tf.training import tf_config
from asc_tf.tuning.engine import space_file

COMMANDS = [command for page in PAGES for command in commands(page)]
HEADS = [*sorted(resolve.SHIPPED.rglob("*.toml")), *sorted(space_file.SHIPPED.glob("*.toml"))]
COMMANDS += [command for file in HEADS for command in commands_of_head(file)]
BLOCKS = [block for page in PAGES for block in blocks(page)]
TOML = [block for block in BLOCKS if block.language == "toml"]
PYTHON = {
    page.name: [block for block in BLOCKS if (block.page, block.language) == (page.name, "python")] for page in PAGES
}
PYTHON = {name: blocks_of_page for name, blocks_of_page in PYTHON.items() if blocks_of_page}
PLACEHOLDERS = {"RECIPE", "KEY=VALUE"}


@pytest.fixture
def parsed(monkeypatch):
    """The options that programs parse from now on, in order; their work is not done."""
    results, parse = [], argparse.ArgumentParser.parse_args

    def parse_args(parser, arguments=None, namespace=None):
        results.append(parse(parser, arguments, namespace))
        return results[-1]

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.setattr(command_line, "run", lambda *_, **__: 0)
    return results


def check_options(options):
    """Recipes that a command names exist, and accept its overrides."""
    if getattr(options, "download", False):
        public.find(options.file) if hasattr(options, "file") else archives.find(options.recipe)
        return
    names = {value for key in ("recipe", "on") if (value := getattr(options, key, None)) and value not in PLACEHOLDERS}
    overrides = [text for text in getattr(options, "overrides", []) if text not in PLACEHOLDERS]
    for name in names:
        resolve.load(name, overrides)


def check_program(main, arguments, parsed):
    assert main(arguments) == 0
    check_options(parsed[-1])


def check_python(arguments, parsed):
    if arguments[0] != "-m":
        source = (ROOT / arguments[0]).read_text()
        assert all(f'"{option}"' in source for option in arguments[1:] if option.startswith("-")), arguments
    elif arguments[1] not in ("venv", "pytest"):
        check_program(importlib.import_module(arguments[1]).main, arguments[2:], parsed)


def check_command(words, parsed):
    program, *arguments = words
    if Path(program).name in ("python", "python3"):
        check_python(arguments, parsed)
    elif program == "asc-tf":
        check_program(asc_tf_program.main, arguments, parsed)
    elif program == "export":
        assert arguments[0].startswith("TF_CONFIG=")
        tf_config.parse(arguments[0].removeprefix("TF_CONFIG="))
    elif program == ".ci/run":
        assert (ROOT / program).is_file()
    else:
        assert words[:2] == ["source", ".venv/bin/activate"] or (Path(program).name, arguments[0]) == ("pip", "install")


@pytest.mark.parametrize(("where", "command"), COMMANDS, ids=[where for where, _ in COMMANDS])
def test_command_is_accepted_by_its_program(where, command, parsed):
    words, parts = shlex.split(command), [[]]
    for word in words:
        parts.append([]) if word == "&&" else parts[-1].append(word)
    for part in parts:
        check_command(part, parsed)


@pytest.mark.parametrize("block", TOML, ids=[block.id for block in TOML])
def test_toml_block_is_part_of_a_valid_recipe(block):
    shipped = tomllib.loads((resolve.SHIPPED / "quickstart.toml").read_text())
    part = tomllib.loads(block.text)
    checks.from_tree(part if "member" in part else shipped | part, block.id)


def test_blocks_are_of_known_languages():
    assert {block.language for block in BLOCKS} <= {"bash", "python", "toml", "text", "c"}


@pytest.mark.parametrize("name", PYTHON)
def test_python_uses_public_names_only(name):
    for block in PYTHON[name]:
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "asc_tf" or node.attr in asc_tf.__all__, (block.id, node.attr)
                assert node.value.id != "run" or hasattr(TrainedRun, node.attr), (block.id, node.attr)


@pytest.fixture(scope="session")
def folder_of_examples(tiny_in, recordings, tmp_path_factory):
    """A working folder with what the examples name: a recipe, which the first example trains, and a sound."""
    folder = tmp_path_factory.mktemp("examples")
    tiny_in(folder).rename(folder / "quickstart.toml")
    for file in folder.glob("*.toml"):
        file.write_text(file.read_text().replace("epochs = 16", "epochs = 2"))
    shutil.copy(next(recordings.rglob("*.wav")), folder / "sound.wav")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", PYTHON)
def test_python_blocks_of_a_page_run_in_order(name, folder_of_examples, monkeypatch):
    train = asc_tf.train

    def train_once(recipe, out):
        return asc_tf.load_run(out) if Path(out, layout.METRICS).is_file() else train(recipe, out)

    monkeypatch.chdir(folder_of_examples)
    monkeypatch.setattr(asc_tf, "train", train_once)
    variables = {}
    for block in PYTHON[name]:
        text = block.text.replace('"quickstart"', '"quickstart.toml"')
        exec(compile(text, block.id, "exec"), variables)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_readme_links_every_page(page):
    assert f"(docs/{page.name})" in (ROOT / "README.md").read_text()


def listed():
    """(page, text that it must have)."""
    names = {
        "README.md": [f"`asc-tf {command} " for command in asc_tf_program.COMMANDS if command != "show"],
        "docs/datasets.md": [f"`{name}`" for name in asc_tf.list_datasets()],
        "docs/features.md": [f"`{name}`" for name in asc_tf.list_features()],
        "docs/augmentation.md": [f"`{name}`" for name in asc_tf.list_augmentations()],
        "docs/networks-and-complexity.md": [f"`{name}`" for name in asc_tf.list_models()],
        "docs/recipes-and-keys.md": [f"`{name}`" for name in asc_tf.list_recipes()],
        "docs/python-api.md": [
            *(f"`asc_tf.{name}" for name in asc_tf.__all__),
            *(f"`run.{name}" for name in vars(TrainedRun) if not name.startswith("_")),
            *(f'`"{name}"`' for name in forms.FORMS),
        ],
    }
    return [(page, text) for page, texts in names.items() for text in texts]


@pytest.mark.parametrize(("page", "text"), listed())
def test_page_lists_every_name(page, text):
    assert text in (ROOT / page).read_text()


@pytest.mark.slow
def test_parameters_and_macs_of_the_networks_are_as_documented():
    rows = tables(ROOT / "docs/networks-and-complexity.md")["Networks and their complexity"]
    rows = [row for row in rows if len(row) == 5 and row[0] != "model" and not row[0].startswith("---")]
    assert {row[0].strip("`") for row in rows} == set(asc_tf.list_models())
    for name, settings, shape, parameters, macs in rows:
        settings = tomllib.loads(f"settings = {settings.strip('`')}")["settings"]
        network = registry.entry("model", name.strip("`"))(tuple(map(int, shape.split(" x "))), 10, **settings)
        cost = measure.measure(network)
        assert f"{cost.parameters:,}" == parameters
        assert macs in (f"{cost.macs:,}", "not counted in full")
