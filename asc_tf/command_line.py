"""How does a program start, fail and stop?"""

import logging
import os
import sys

from asc_tf.errors import UserError


def start(program, action, *, go_on=""):
    """Runs `action()` as a program: mistakes as one line on stderr and status 2, Ctrl-C as status 130.

    go_on: how to go on after Ctrl-C.  Returns the exit status.  TensorFlow keeps its start-up notes to itself.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        action()
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{program}: stopped. {go_on}".rstrip(), file=sys.stderr)
        return 130
    return 0


def add_overrides(parser):
    """The `--set key=value` option, which every program that takes a recipe shares."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the recipe, for example --set train.epochs=3 (may be repeated)",
    )
