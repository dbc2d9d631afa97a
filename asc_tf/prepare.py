"""`python -m asc_tf.prepare [RECIPE]`: decode and resample a recipe's clips once.
`python -m asc_tf.prepare tau2022 --download [--to FOLDER]`: fetch and unpack a published dataset.

Training prepares by itself where it is needed; here it can be done ahead, stopped and gone on with.
A download goes on where it stopped, checks every archive's MD5 sum and removes it once it is unpacked.
"""

import argparse
import sys

from asc_tf import command_line
from asc_tf.recipe import resolve as recipes


def prepare(recipe):
    """Prepares a recipe's clips, looking at every file."""
    from asc_tf import dataset

    clips = dataset.listing(recipe)
    prepared = dataset.prepare(recipe, clips)
    counts = f"{len(clips):,} files, {len(prepared):,} segments"
    print(f"{recipe.name}: {counts} at {dataset.sample_rate_hz(recipe)} Hz")


def download(name, folder):
    """Fetches a published dataset and tells how a recipe reads it."""
    from asc_tf.data.download import archives, published

    root = published.fetch(name, folder)
    dataset = f'dataset={{name="{archives.find(name).dataset}", root="{root}", split="fold1"}}'
    print(f"{name}: is in {root}\nuse it by:  python -m asc_tf.train RECIPE --set '{dataset}'")


def check_is_recipe(name):
    """Raises UserError for a dataset's name where a recipe's is needed."""
    from asc_tf.data.download import archives
    from asc_tf.errors import UserError

    if name in archives.PUBLISHED:
        raise UserError(
            f"'{name}' is a dataset, not a recipe: fetch it with --download; prepare it by a recipe that reads it."
        )


def main(arguments=None):
    description = __doc__.split("\n\n", 1)[1]
    parser = argparse.ArgumentParser(prog="python -m asc_tf.prepare", description=description)
    recipe_help = "a shipped recipe's name or a TOML file; with --download a dataset: tau2022"
    parser.add_argument("recipe", nargs="?", default="quickstart", help=recipe_help)
    parser.add_argument("--download", action="store_true", help="fetch a published dataset (tau2022: 27 GB)")
    parser.add_argument("--to", default="data", metavar="FOLDER", help="where a download goes (default: data)")
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)

    def action():
        if options.download:
            return download(options.recipe, options.to)
        check_is_recipe(options.recipe)
        return prepare(recipes.load(options.recipe, options.overrides))

    return command_line.start("prepare", action, go_on="What is done is kept: the same command goes on.")


if __name__ == "__main__":
    sys.exit(main())
