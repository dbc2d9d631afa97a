"""Executes the notebooks and writes them with their outputs as pages of the documentation.

Run:     python notebooks/render.py [01_quickstart ...]
Needs:   pip install nbconvert ipykernel
Output:  docs/notebooks/NAME.md and its pictures in docs/notebooks/NAME_files, without sounds and without what
         is printed on stderr.
"""

import argparse
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

FOLDER = Path(__file__).parent
PAGES = FOLDER.parent / "docs/notebooks"
SHOWN = ["image/png", "text/plain"]


def render(file: Path) -> Path:
    """Executes a notebook in an empty folder and writes its page.

    Args:
        file: The notebook.

    Returns:
        The page.
    """
    notebook = nbformat.read(file, 4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        cell["outputs"] = [one for one in outputs if one.get("name") != "stderr" and not _is_sound(one)]
    exporter = MarkdownExporter()
    exporter.display_data_priority = SHOWN
    text, resources = exporter.from_notebook_node(
        notebook, {"unique_key": f"{file.stem}_files/picture", "output_files_dir": "."}
    )
    page = PAGES / f"{file.stem}.md"
    (PAGES / f"{file.stem}_files").mkdir(parents=True, exist_ok=True)
    for name, content in resources["outputs"].items():
        (PAGES / name).write_bytes(content)
    page.write_text(text.rstrip() + "\n", encoding="utf-8")
    return page


def _is_sound(output):
    return "<audio" in output.get("data", {}).get("text/html", "")


def main() -> None:
    """Renders the notebooks that are named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=sorted(file.stem for file in FOLDER.glob("*.ipynb")))
    for name in parser.parse_args().names:
        print(render(FOLDER / f"{name}.ipynb"), flush=True)


if __name__ == "__main__":
    main()
