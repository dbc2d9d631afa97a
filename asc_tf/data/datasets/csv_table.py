"""Reads columns of a dataset's CSV tables."""

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

from asc_tf.errors import UserError, nearest


def read_table(
    file: Path | str, columns: Sequence[str], *, optional: Sequence[str] = (), delimiter: str = "\t"
) -> list[Sequence]:
    """Reads columns of a CSV file or a .csv.gz.

    Args:
        file: The table, in UTF-8, with a header.
        columns: Names of columns; every row must have a value in each.
        optional: Names of columns that may be absent, which then read as "".
        delimiter: Character between the cells.

    Returns:
        The line numbers, then `columns` and `optional` in their order, each with one value a row.

    Raises:
        UserError: The file cannot be read, lacks a column, has no row, or a value is missing.
    """
    file = Path(file)
    try:
        with (gzip.open if file.suffix == ".gz" else open)(file, "rt", newline="", encoding="utf-8-sig") as opened:
            text = opened.read()
        header, lines, cells = _plain(text, delimiter) or _quoted(text, delimiter)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read as a table ({error}).") from error
    for column in columns:
        if column not in header:
            raise UserError(f"{file}: no column '{column}'. {nearest(column, header)}")
    if not lines:
        raise UserError(f"{file}: the table has no rows.")
    values = [cells[header.index(c)] if c in header else [""] * len(lines) for c in (*columns, *optional)]
    empty = [column.index("") for column in values[: len(columns)] if "" in column]
    if empty:
        raise UserError(f"{file}:{lines[min(empty)]}: a value is missing; each row needs {', '.join(columns)}.")
    return [lines, *values]


def delimiter_of(file: Path) -> str:
    """The delimiter of a table: a tab where its first line has one, else a comma.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        with open(file, encoding="utf-8-sig") as lines:
            return "\t" if "\t" in lines.readline() else ","
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as a table ({error}).") from error


def _plain(text, delimiter):
    """(header, line numbers, columns) of a table without quotes, gaps or blank lines; None for any other.

    Three times faster than the csv module, which makes a list of every row.
    """
    text = text.replace("\r\n", "\n").removesuffix("\n")
    rows = text.split("\n")
    width = 1 + rows[0].count(delimiter)
    if width == 1 or '"' in text or "\r" in text or set(map(str.count, rows, repeat(delimiter))) != {width - 1}:
        return None
    cells = delimiter.join(rows).split(delimiter)
    return cells[:width], range(2, len(rows) + 1), [cells[width + index :: width] for index in range(width)]


def _quoted(text, delimiter):
    """The same for any table, by the csv module; cells that a short row lacks are ""."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = next(reader, [])
    rows = [(reader.line_num, row + [""] * (len(header) - len(row))) for row in reader if row]
    return header, [line for line, _ in rows], [[row[index] for _, row in rows] for index in range(len(header))]
