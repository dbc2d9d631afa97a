"""`python -m asc_tf.submit --check FOLDER`: checks a package for the DCASE challenge, Task 1, before it is sent.

The folder holds task1/LABEL/LABEL.meta.yaml and the outputs, LABEL.output.split_5.csv and the like in 2024,
LABEL.output.csv in 2025. Every defect is printed with file and line. Exit status 0 of a right package, 1 of any other.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.submit") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("--check", metavar="FOLDER", required=True, help="the package")
    parser.add_argument("--year", type=int, choices=(2024, 2025), default=2025, help="of the challenge")
    parser.add_argument(
        "--eval-set",
        metavar="FOLDER",
        help="folder of the evaluation set with evaluation_setup/fold1_test.csv (default: its names, 0.wav and so on)",
    )
    options = parser.parse_args(arguments)
    return command_line.run("submit", lambda: _check(options), traceback=options.traceback)


def _check(options: argparse.Namespace) -> int:
    from asc_tf.errors import printable
    from asc_tf.submission import check

    names = check.evaluation_names(options.eval_set, options.year)
    found = check.defects(options.check, options.year, names)
    print("\n".join(map(printable, found)) or f"{options.check}: no defect was found.")
    return command_line.FAULTS if found else command_line.OK


if __name__ == "__main__":
    sys.exit(main())
