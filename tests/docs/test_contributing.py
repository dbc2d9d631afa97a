"""CONTRIBUTING.md: the figure of the layers is that of the import contracts; the walk names files that exist."""

import re
import tomllib

from markdown_pages import ROOT, blocks, prose


def figure():
    """The layers of the figure, top first, each the names on one line or on lines that end with |."""
    text = next(block.text for block in blocks(ROOT / "CONTRIBUTING.md") if block.language == "text")
    names = [re.findall(r"\basc_tf(?:\.\w+)+", line) for line in re.sub(r"\|\s*\n", "| ", text).split("\n")]
    return [layer for layer in names if layer]


def test_figure_has_the_layers_of_the_import_contract_in_order():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert figure() == [layer.split(" | ") for layer in layers]


def test_files_that_are_named_exist():
    paths = re.findall(r"`((?:asc_tf|tests|docs|export)/[\w/.]+\.(?:py|md))`", prose(ROOT / "CONTRIBUTING.md"))
    paths = [path for path in paths if "NAME" not in path]
    assert paths and all((ROOT / path).exists() for path in paths), paths
