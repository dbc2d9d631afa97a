"""`python -m asc_tf.prepare [RECIPE]`: decode and resample a recipe's clips once.

Training does this by itself where it is needed; here it can be done ahead, stopped and gone on with.
"""

import argparse
import sys

from asc_tf import command_line
from asc_tf import recipe as recipes


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m asc_tf.prepare", description=__doc__.split("\n", 1)[1])
    parser.add_argument("recipe", nargs="?", default="quickstart", help="a shipped recipe's name or a TOML file")
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)

    def action():
        from asc_tf import build

        recipe = recipes.load(options.recipe, options.overrides)
        clips = build.listing(recipe)
        prepared = build.prepare(recipe, clips)
        counts = f"{len(clips):,} files, {len(prepared):,} segments"
        print(f"{recipe.name}: {counts} at {build.sample_rate_hz(recipe)} Hz")

    return command_line.start("prepare", action, go_on="What is done is kept: the same command goes on.")


if __name__ == "__main__":
    sys.exit(main())
