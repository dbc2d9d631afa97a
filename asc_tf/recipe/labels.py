"""Lists of the classes of public weights, which recipes and `--labels` name: recipes/labels/NAME.txt."""

from pathlib import Path

from asc_tf.errors import UserError, nearest

FOLDER = Path(__file__).parents[1] / "recipes" / "labels"


def names() -> list[str]:
    """Names of the lists, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.txt"))


def read(text: str) -> tuple[str, ...]:
    """Classes in order.

    Args:
        text: Name of a list, a file with one class a line, or classes separated by commas.

    Raises:
        UserError: It is a single word and neither a list nor a file.
    """
    if "," in text:
        return tuple(name.strip() for name in text.split(","))
    file = FOLDER / f"{text}.txt" if text in names() else Path(text)
    try:
        return tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"labels '{text}': is neither a list nor a readable file, and has no commas. {nearest(text, names())}"
        ) from error
