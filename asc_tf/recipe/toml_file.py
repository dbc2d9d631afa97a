"""Reading of TOML files as editors save them: UTF-8 with or without a byte order mark, all ends of lines."""

import codecs
import tomllib
from pathlib import Path
from typing import Any

from asc_tf.errors import UserError

MOST_BYTES = 10_000_000  # a recipe has some kilobytes


def read(file: Path) -> dict[str, Any]:
    """The parsed tree of a TOML file.

    Args:
        file: The file.

    Raises:
        UserError: It cannot be read, is not UTF-8, or is not TOML.
    """
    try:
        with open(file, "rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: is not a readable TOML file: {error}.") from error
    if len(content) > MOST_BYTES:
        raise UserError(f"{file}: has more than {MOST_BYTES:,} bytes: it is no recipe.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{file}: is saved as UTF-16; save it as UTF-8.")
    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: is not a readable TOML file: {error}.") from error
