"""Command-line programs: their common options, errors and exit statuses."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from asc_tf import __version__
from asc_tf.errors import UserError, printable

# Exit statuses: FAULTS where something is over a limit, wrong or could not be read, and all else is done; a stop by a
# signal has 128 + its number, 141 where nothing reads what is printed.
OK, FAULTS, ERROR, INTERRUPTED, TERMINATED, UNREAD = 0, 1, 2, 130, 143, 141

LONGEST_MESSAGE = 2000  # characters of an error's line


class _Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; `number` is that of the signal."""

    def __init__(self, number: int = signal.SIGINT):
        super().__init__()
        self.number = number


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


def number(kind: type[int] | type[float], least: float, most: float = 1e6) -> Callable[[str], float]:
    """Type of an option for argparse: a number in a range, so that "nan" and "inf" are none.

    Args:
        kind: int or float.
        least: Smallest allowed value.
        most: Largest allowed value.
    """

    def parsed(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            word = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"'{printable(text)}' must be a {word} from {least:g} to {most:g}")
        return value

    return parsed


def run(program: str, action: Callable[[], int | None], *, traceback: bool = False, hint: str = "") -> int:
    """Runs a program's action.

    TensorFlow's start-up messages are switched off. The user's keras.json is not read. Characters that stdout cannot
    encode are printed as escapes. Ctrl-C and SIGTERM raise a KeyboardInterrupt in the action; the second one ends the
    process at once.

    Args:
        program: Its name, the start of every error line.
        action: Does the work; returns an exit status, or None for success.
        traceback: Whether an error is raised with its traceback instead of printed in one line.
        hint: Printed after Ctrl-C and SIGTERM: how the work can be resumed.

    Returns:
        The exit status: the action's, 2 after an error that a user can correct (printed to stderr), 130 after Ctrl-C,
        143 after SIGTERM, 141 where the program that reads stdout has ended.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_HOME"] = os.devnull  # no keras.json, readable or not, for keras and tf_keras
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    line = f"{program}: stopped. {hint}".rstrip()
    _handle_signals(line)
    try:
        _check_backend()
        status = action() or OK
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _discard_output()
        return UNREAD
    except KeyboardInterrupt as stop:
        number = getattr(stop, "number", signal.SIGINT)
        print(f"\n{line}", file=sys.stderr)
        return 128 + number
    except Exception as error:
        reason = _reason(error)
        if traceback or reason is None:
            raise
        print(_shortened(f"{program}: {printable(reason)}"), file=sys.stderr)
        return ERROR


def _check_backend():
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise UserError(f"KERAS_BACKEND={backend}: the programs need KERAS_BACKEND=tensorflow, or none.")


def _handle_signals(line):
    """Ctrl-C and SIGTERM raise a KeyboardInterrupt once; the next one prints the line and ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        return
    stops = []

    def stop(number, frame):
        stops.append(number)
        if len(stops) > 1:
            os.write(2, f"\n{line}\n".encode())
            os._exit(128 + number)
        raise _Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _discard_output():
    """Gives the rest of stdout to nobody, so that Python's last flush does not fail."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, sys.stdout.fileno())
    os.close(nobody)


def _reason(error):
    """What a user reads of an error; None where it is a fault of the program."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(str(part) for part in (error.filename, f"{error.strerror}.") if part is not None)
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "the memory does not suffice: choose a smaller network, batch or segment, or a machine with more."
    if isinstance(error, (OverflowError, RecursionError)):
        return f"a number or a nesting is too large: {error} (add --traceback to see where)."
    return None


def _shortened(text):
    """A message whose middle is left out where it is very long."""
    half = LONGEST_MESSAGE // 2
    left_out = len(text) - LONGEST_MESSAGE
    return text if left_out <= 0 else f"{text[:half]} ... ({left_out:,} characters left out) ... {text[-half:]}"
