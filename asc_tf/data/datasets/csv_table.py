"""What does a table of a dataset say, column by column?"""

import csv
import gzip
import io
import zlib
from itertools import repeat
from pathlib import Path

from asc_tf.errors import UserError, nearest


def read_table(file, columns, *, optional=(), delimiter="\t"):
    """Columns of a CSV file (or .csv.gz), a value a row in each: the line numbers, then those asked for in their order.

    Raises UserError unless the table has all `columns`, a row, and a value in each of them; an
    `optional` column that is absent reads as "".
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
    found = [cells[header.index(c)] if c in header else [""] * len(lines) for c in (*columns, *optional)]
    empty = [column.index("") for column in found[: len(columns)] if "" in column]
    if empty:
        raise UserError(f"{file}:{lines[min(empty)]}: a value is missing; each row needs {', '.join(columns)}.")
    return [lines, *found]


def delimiter_of(file):
    """A tab where the first line has one, else a comma."""
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
    return cells[:width], range(2, len(rows) + 1), [cells[width + place :: width] for place in range(width)]


def _quoted(text, delimiter):
    """The same for any table, as the csv module reads it; what a short row lacks is ""."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = next(reader, [])
    rows = [(reader.line_num, row + [""] * (len(header) - len(row))) for row in reader if row]
    return header, [line for line, _ in rows], [[row[place] for _, row in rows] for place in range(len(header))]
