"""`python -m asc_tf.compare RUN RUN ...`: evaluated runs side by side.

Runs of recipes that differ in their seeds alone are one row: mean and standard deviation. Every other recipe is held
against the first one by the paired bootstrap over recordings: the difference, its 95 % interval, and how often it is
better; and what differs in the recipes is listed. All runs must have tested the same segments.
"""

import argparse
import sys
from pathlib import Path

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.compare") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", nargs="+", help="run folders, evaluated")
    parser.add_argument("--markdown", metavar="FILE", help="write what is printed to this file")
    parser.add_argument("--html", metavar="FILE", help="write a page with pictures of accuracy over cost to this file")
    options = parser.parse_args(arguments)
    return command_line.run("compare", lambda: _compare(options), traceback=options.traceback)


def _compare(options: argparse.Namespace) -> None:
    from asc_tf.evaluation import compare
    from asc_tf.runs import atomic

    kinds = compare.kinds(compare.load(options.run))
    differences = compare.differences(kinds)
    text = compare.text(kinds, differences)
    print(text)
    if options.markdown:
        atomic.write(Path(options.markdown), text + "\n")
    if options.html:
        atomic.write(Path(options.html), compare.page(kinds, differences))


if __name__ == "__main__":
    sys.exit(main())
