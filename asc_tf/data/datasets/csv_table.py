"""Reads columns of a dataset's CSV tables, whatever program wrote them.

Delimiter (comma, semicolon or tab) and encoding (UTF-8, UTF-16 with its mark) are found in the content. Names of
columns are compared without regard to case, and blanks around cells do not count.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

from asc_tf.errors import UserError, nearest

MOST_BYTES = 1 << 28  # of a table, unpacked
MOST_HEADER = 1 << 14  # characters of its first line
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_table(file: Path | str, columns: Sequence[str], *, optional: Sequence[str] = ()) -> list[Sequence]:
    """Reads columns of a CSV file or a .csv.gz.

    Args:
        file: The table, with a header, of at most MOST_BYTES.
        columns: Names of columns in small letters; every row must have a value in each.
        optional: Names of columns that may be absent, which then read as "".

    Returns:
        The line numbers, then `columns` and `optional` in their order, each with one value a row.

    Raises:
        UserError: The file cannot be read, lacks a column or has one twice, has no row, a row has more cells than the
            header, or a value is missing.
    """
    file = Path(file)
    text = _text(file)
    _, delimiter = _first_line(file, text)
    try:
        header, lines, cells = _plain(text, delimiter) or _quoted(file, text, delimiter, (*columns, *optional))
    except csv.Error as error:
        raise UserError(f"{file}: cannot be read as a table ({error}).") from error
    for column in columns:
        if column not in header:
            raise UserError(f"{file}: no column '{column}'. {nearest(column, [name[:40] for name in header[:30]])}")
    if not lines:
        raise UserError(f"{file}: the table has no rows.")
    values = [cells[c] if c in header else [""] * len(lines) for c in (*columns, *optional)]
    empty = [column.index("") for column in values[: len(columns)] if "" in column]
    if empty:
        raise UserError(f"{file}:{lines[min(empty)]}: a value is missing; each row needs {', '.join(columns)}.")
    return [lines, *values]


def column_names(file: Path | str) -> list[str]:
    """Names of a table's columns in small letters.

    Args:
        file: The table.

    Raises:
        UserError: The file cannot be read.
    """
    first, delimiter = _first_line(Path(file), _text(Path(file)))
    return _header(next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), []))


def _first_line(file, text):
    """The first line of a table, and its delimiter."""
    first = next(iter(text[: MOST_HEADER + 1].splitlines()), "")
    if len(first) > MOST_HEADER:
        raise UserError(f"{file}: its first line has more than {MOST_HEADER:,} characters; is this a table?")
    return first, max("\t;,", key=first.count) if first else ","


def _text(file):
    """The text of a table without its byte order mark."""
    try:
        with (gzip.open if file.suffix == ".gz" else open)(file, "rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(f"{file}: is larger than {MOST_BYTES >> 20} MiB; is this a table?")
        text = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"byte {error.start:,}: {error.reason}"
        raise UserError(f"{file}: is neither UTF-8 nor UTF-16 ({place}); save it as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file}: cannot be read as a table ({error}).") from error
    if "\0" in text:
        raise UserError(f"{file}: has NUL characters, so it is no table or UTF-16 without its mark; save it as UTF-8.")
    return text


def _header(cells):
    return [cell.strip().lower() for cell in cells]


def _plain(text, delimiter):
    """(header, line numbers, {name: column}) of a table without quotes, gaps or blank lines; None for any other.

    Three times faster than the csv module, which makes a list of every row.
    """
    text = text.replace("\r\n", "\n").removesuffix("\n")
    rows = text.split("\n")
    width = 1 + rows[0].count(delimiter)
    if width == 1 or '"' in text or "\r" in text or set(map(str.count, rows, repeat(delimiter))) != {width - 1}:
        return None
    header = _header(rows[0].split(delimiter))
    if len(set(header)) < width:
        return None
    cells = delimiter.join(rows).split(delimiter)
    if " " in text or "\xa0" in text or (delimiter != "\t" and "\t" in text):
        cells = list(map(str.strip, cells))
    return header, range(2, len(rows) + 1), {name: cells[width + at :: width] for at, name in enumerate(header)}


def _quoted(file, text, delimiter, wanted):
    """The same for any table, by the csv module, of the wanted columns; cells that a short row lacks are ""."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    header = _header(next(reader, []))
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise UserError(f"{file}: has two columns '{twice[0]}'; keep one.")
    position_of = {name: header.index(name) for name in wanted if name in header}
    lines, cells = [], {name: [] for name in position_of}
    for row in reader:
        if not any(map(str.strip, row)):
            continue
        if len(row) > len(header) and any(map(str.strip, row[len(header) :])):
            where = f"{file}:{reader.line_num}: a row of {len(row)} cells below a header of {len(header)}"
            raise UserError(f"{where}; put quotes around a cell that has '{delimiter}' in it.")
        lines.append(reader.line_num)
        for name, position in position_of.items():
            cells[name].append(row[position].strip() if position < len(row) else "")
    return header, lines, cells
