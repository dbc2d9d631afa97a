"""`python -m asc_tf.train [RECIPE]`: train a recipe, from audio files to a checked model.

Prepares the data, trains or reuses the run that the recipe starts from and its teachers, stores the teachers' outputs,
trains the network, quantises it and converts it to TFLite where the recipe has [quantise], and evaluates
everything on the test split.
"""

import argparse
import sys
from pathlib import Path

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.train") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("recipe", nargs="?", default="quickstart", help="a shipped recipe's name or a TOML file")
    parser.add_argument("--out", help="the run folder (default: runs/NAME of the recipe)")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    parser.add_argument(
        "--distribute",
        action="store_true",
        help="share every batch between all devices, or all workers of TF_CONFIG (start the same command on each)",
    )
    parser.add_argument(
        "--rehearse",
        action="store_true",
        help="go the whole way for a few steps, leave nothing behind, and print what the real run will take",
    )
    command_line.add_data_change(parser)
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)
    return command_line.run(
        "train",
        lambda: _train(options),
        traceback=options.traceback,
        hint="The last whole epoch is saved: go on with --resume.",
    )


def _train(options: argparse.Namespace) -> None:
    from asc_tf.chain import rehearse
    from asc_tf.chain.train import train
    from asc_tf.recipe import resolve
    from asc_tf.training import distribution

    recipe = resolve.load(options.recipe, **command_line.recipe_options(options))
    out = Path(options.out or f"runs/{recipe.name}")
    if options.rehearse:
        rehearse.rehearse(recipe, out)
        return
    workers = distribution.connect() if options.distribute else distribution.SINGLE_PROCESS
    with workers.running():
        accept = options.accept_data_change
        train(recipe, out, resume=options.resume, distribution=workers, accept_data_change=accept)


if __name__ == "__main__":
    sys.exit(main())
