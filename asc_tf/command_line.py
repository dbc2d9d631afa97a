"""Command-line programs: their common options, errors and exit statuses."""

import argparse
import logging
import os
import sys
from collections.abc import Callable

from asc_tf import __version__
from asc_tf.errors import UserError

OK, OVER_LIMITS, ERROR, INTERRUPTED = 0, 1, 2, 130  # exit statuses


def parser(program: str, documentation: str, usage: str | None = None) -> argparse.ArgumentParser:
    """Argument parser with the options of every program, `--version` and `--traceback`.

    Args:
        program: Its command, as a user types it.
        documentation: Docstring of the program's module: its command in backticks, ": ", and the text of `--help`.
        usage: Usage line, where it is not the one that argparse makes.
    """
    text = documentation.split("`: ", 1)[1]
    arguments = argparse.ArgumentParser(
        prog=program,
        usage=usage,
        description=text[0].upper() + text[1:],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument("--version", action="version", version=f"asc_tf {__version__}")
    arguments.add_argument("--traceback", action="store_true", help="show where in the code an error was raised")
    return arguments


def add_overrides(arguments: argparse.ArgumentParser) -> None:
    """Adds the options of programs that take a recipe: --set, --data and --small."""
    arguments.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the recipe, for example --set train.epochs=3 (may be repeated); "
        "PATTERN:KEY=VALUE in all recipes of that name which it depends on, such as 'jku2024_*:train.epochs=3'",
    )
    arguments.add_argument(
        "--data",
        metavar="FOLDER",
        help="where the folders lie that recipes name by relative paths (tau2022, audioset, micirp), or the dataset's "
        "own folder",
    )
    arguments.add_argument(
        "--small", action="store_true", help="the settings of small.toml beside the recipe: minutes on two processors"
    )


def add_data_change(arguments: argparse.ArgumentParser) -> None:
    """Adds the option of programs that load the data of a run, --accept-data-change."""
    arguments.add_argument(
        "--accept-data-change",
        action="store_true",
        help="go on although clips were added, removed, moved or changed since the run was made; what changed is "
        "printed",
    )


def recipe_options(options: argparse.Namespace) -> dict[str, object]:
    """The options that `add_overrides` adds, as recipe.resolve.load takes them."""
    return {"overrides": options.overrides, "data": options.data, "small": options.small}


def run(program: str, action: Callable[[], int | None], *, traceback: bool = False, hint: str = "") -> int:
    """Runs a program's action.

    TensorFlow's start-up messages are switched off.

    Args:
        program: Its name, the start of every error line.
        action: Does the work; returns an exit status, or None for success.
        traceback: Whether a UserError is raised with its traceback instead of printed in one line.
        hint: Printed after Ctrl-C: how the work can be resumed.

    Returns:
        The exit status: the action's, 2 after a UserError (printed to stderr), 130 after Ctrl-C.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        return action() or OK
    except UserError as error:
        if traceback:
            raise
        print(f"{program}: {error}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print(f"\n{program}: stopped. {hint}".rstrip(), file=sys.stderr)
        return INTERRUPTED
