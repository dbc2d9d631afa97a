"""Code blocks, commands and tables of the project's Markdown pages."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
PROGRAMS = ("asc-tf ", "python ", "pip ", "source ")  # starts of code spans that are commands


class Block(NamedTuple):
    """A code block: file name and line of its first line, language after the fence, text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def id(self):
        return f"{self.page}:{self.line}"


def blocks(page):
    """All blocks of a page. A line that is indented by four spaces is a block of the language "bash"."""
    lines, result, number = page.read_text().splitlines(), [], 0
    while number < len(lines):
        if lines[number].startswith("```"):
            end = lines.index("```", number + 1)
            language = lines[number].removeprefix("```")
            result.append(Block(page.name, number + 2, language, "\n".join(lines[number + 1 : end])))
            number = end
        elif lines[number].startswith("    "):
            result.append(Block(page.name, number + 1, "bash", lines[number].strip()))
        number += 1
    return result


def prose(page):
    """The text of a page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page):
    """(id, command) of every line of a bash block and of every code span that is a command."""
    lines = [(block.id, line) for block in blocks(page) if block.language == "bash" for line in block.text.split("\n")]
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(page))
    return lines + [(f"{page.name}: {span}", span) for span in dict.fromkeys(spans) if span.startswith(PROGRAMS)]


def commands_of_head(recipe):
    """(id, command) of the commands in the head of a recipe, which are comments indented by four spaces."""
    return [(f"{recipe.name}: {line}", line) for line in re.findall("^#     (.*)$", recipe.read_text(), re.MULTILINE)]


def tables(page):
    """{heading: rows} of the first table below every heading; a row is a list of cells, the header left out."""
    result, heading = {}, ""
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|"):
            result.setdefault(heading, []).append([cell.strip() for cell in line.strip("|").split(" | ")])
    return {heading: rows[2:] for heading, rows in result.items()}


def anchors(page):
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
