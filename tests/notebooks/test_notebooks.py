"""The notebooks run from top to bottom in their small settings, each in an empty folder; their pages are theirs."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PAGES = FOLDER.parent / "docs/notebooks"
LONGEST_S = 1800  # of a cell; no figure of speed


def cells(file, kind):
    return [cell.source for cell in nbformat.read(file, 4).cells if cell.cell_type == kind]


def test_all_six_are_there():
    names = ["quickstart", "your_own_recordings", "features", "distillation", "width_search", "onto_a_device"]
    assert [file.stem[3:] for file in NOTEBOOKS] == names


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_each_begins_with_its_badge_and_one_install_cell_and_has_no_outputs(file):
    notebook = nbformat.read(file, 4)
    nbformat.validate(notebook)
    badge, install = notebook.cells[0].source, notebook.cells[1].source
    assert badge.startswith("# ") and re.search(rf"colab-badge\.svg\)\]\(\S+/notebooks/{file.name}\)", badge)
    assert install == cells(NOTEBOOKS[0], "code")[0] and "requirements.lock" in install and "[tuning]" in install
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count"), "strip the outputs"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_only_public_modules_are_used(file):
    code = "\n".join(cells(file, "code"))
    modules = re.findall(r"^\s*(?:from|import) (asc_tf[\w.]*)", code, re.MULTILINE)
    assert modules and not [one for one in modules if "._" in one]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_its_page_has_its_cells_and_pictures_and_no_folder_of_a_machine(file):
    page = (PAGES / f"{file.stem}.md").read_text()
    assert re.findall(r"^```python\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL) == cells(file, "code"), "render it"
    assert [text for text in cells(file, "markdown") if text not in page] == [], "render it"
    pictures = re.findall(r"\(\./(\S+\.png)\)", page)
    assert sorted(pictures) == sorted(f"{path.parent.name}/{path.name}" for path in PAGES.glob(f"{file.stem}_files/*"))
    assert pictures and not re.findall(r"(?<![\w.])/(?:tmp|home|root|work|usr|opt)/\S*", page)


def test_gains_of_distillation_are_those_of_the_benchmark():
    (code,) = [code for code in cells(FOLDER / "04_distillation.ipynb", "code") if "measured = {" in code]
    rows = (FOLDER.parent / "benchmarks/distillation.md").read_text().splitlines()
    for name, (gain, deviation) in ast.literal_eval(re.search(r"measured = (\{.*?\n\})", code, re.DOTALL)[1]).items():
        (row,) = [row for row in rows if row.startswith(f"| {name}")]
        assert f"| {gain:+} ± {deviation} (" in row


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_runs_from_top_to_bottom(file, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    notebook = nbformat.read(file, 4)
    client = NotebookClient(
        notebook, timeout=LONGEST_S, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown)
