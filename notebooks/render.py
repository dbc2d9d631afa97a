"""Executes the notebooks and writes them with their outputs as pages of the documentation.

Run:     python notebooks/render.py [01_quickstart ...]
Needs:   pip install nbconvert ipykernel
Output:  docs/notebooks/NAME.md and its pictures, of 64 colours, in docs/notebooks/NAME_files. A line stands in for
         every sound; what is printed on stderr, folders of this machine and times are left out.
"""

import argparse
import io
import re
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from PIL import Image

FOLDER = Path(__file__).parent
PAGES = FOLDER.parent / "docs/notebooks"
SHOWN = ["image/png", "text/markdown", "text/plain"]
SOUND = "*(The notebook plays a sound here.)*"
TIMES = re.compile(r"  \d+\.\d s$|, about [\d:]+ left$|\n*^seconds of .*(?:\n.+)*", re.MULTILINE)  # as they are printed


def execute(file: Path, folder: str) -> nbformat.NotebookNode:
    """Executes a notebook.

    Args:
        file: The notebook.
        folder: The folder that it works in.

    Returns:
        The notebook with those of its outputs that a page shows.
    """
    notebook = nbformat.read(file, 4)
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell["outputs"] = [_shown(one, f"{folder}/") for one in _joined(cell.get("outputs", []))]
    return notebook


def write(notebook: nbformat.NotebookNode, name: str) -> Path:
    """Writes the page of an executed notebook, with its pictures.

    Args:
        notebook: The notebook.
        name: Its name.

    Returns:
        The page.
    """
    exporter = MarkdownExporter()
    exporter.display_data_priority = SHOWN
    text, resources = exporter.from_notebook_node(
        notebook, {"unique_key": f"{name}_files/picture", "output_files_dir": "."}
    )
    page, pictures = PAGES / f"{name}.md", PAGES / f"{name}_files"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    for picture, content in resources["outputs"].items():
        (PAGES / picture).write_bytes(_smaller(content))
    page.write_text(re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip() + "\n", encoding="utf-8")
    return page


def _joined(outputs):
    """Outputs without stderr; what is printed in several parts, one after the other, is one."""
    joined = []
    for one in (one for one in outputs if one.get("name") != "stderr"):
        if joined and one.get("name") == joined[-1].get("name") == "stdout":
            joined[-1]["text"] += one["text"]
        else:
            joined.append(one)
    return joined


def _shown(output, folder):
    """An output as its page has it."""
    if "<audio" in output.get("data", {}).get("text/html", ""):
        output["data"] = {"text/markdown": SOUND}
    if "text" in output:
        output["text"] = TIMES.sub("", output["text"].replace(folder, ""))
    return output


def _smaller(png):
    picture, content = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    picture.quantize(64, dither=Image.Dither.NONE).save(content, "png", optimize=True)
    return content.getvalue()


def main() -> None:
    """Renders the notebooks that are named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=sorted(file.stem for file in FOLDER.glob("*.ipynb")))
    for name in parser.parse_args().names:
        with tempfile.TemporaryDirectory() as folder:
            print(write(execute(FOLDER / f"{name}.ipynb", folder), name), flush=True)


if __name__ == "__main__":
    main()
