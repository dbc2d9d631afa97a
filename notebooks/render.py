"""Executes the notebooks and writes them with their outputs as pages of the documentation.

Run:     python notebooks/render.py [01_quickstart ...]
Needs:   pip install nbconvert ipykernel
Output:  docs/notebooks/NAME.md and its pictures, of 256 colours, in docs/notebooks/NAME_files. A line stands in for
         every sound; what is printed on stderr, folders of this machine and seconds of epochs are left out.
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
SECONDS = re.compile(r"  \d+\.\d s$|, about [\d:]+ left$", re.MULTILINE)  # of an epoch, of a search


def render(file: Path) -> Path:
    """Executes a notebook in an empty folder and writes its page.

    Args:
        file: The notebook.

    Returns:
        The page.
    """
    notebook = nbformat.read(file, 4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, coalesce_streams=True, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        cell["outputs"] = [_shown(one, f"{folder}/") for one in outputs if one.get("name") != "stderr"]
    exporter = MarkdownExporter()
    exporter.display_data_priority = SHOWN
    text, resources = exporter.from_notebook_node(
        notebook, {"unique_key": f"{file.stem}_files/picture", "output_files_dir": "."}
    )
    page, pictures = PAGES / f"{file.stem}.md", PAGES / f"{file.stem}_files"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    for name, content in resources["outputs"].items():
        (PAGES / name).write_bytes(_smaller(content))
    page.write_text(re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip() + "\n", encoding="utf-8")
    return page


def _shown(output, folder):
    """An output as its page has it."""
    if "<audio" in output.get("data", {}).get("text/html", ""):
        output["data"] = {"text/markdown": SOUND}
    if "text" in output:
        output["text"] = SECONDS.sub("", output["text"].replace(folder, ""))
    return output


def _smaller(png):
    picture, content = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(content, "png", optimize=True)
    return content.getvalue()


def main() -> None:
    """Renders the notebooks that are named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=sorted(file.stem for file in FOLDER.glob("*.ipynb")))
    for name in parser.parse_args().names:
        print(render(FOLDER / f"{name}.ipynb"), flush=True)


if __name__ == "__main__":
    main()
