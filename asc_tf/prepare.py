"""`python -m asc_tf.prepare [RECIPE]`: decode and resample the clips of a recipe, and of all it depends on, once.

With --download, `python -m asc_tf.prepare tau2022 --download [--to FOLDER]`, download and unpack a published dataset.

Training prepares its clips by itself; here it can be done ahead, stopped and resumed.
A download resumes where it stopped, checks every archive's MD5 sum and removes the archive once it is unpacked.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.prepare") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    recipe_help = "a shipped recipe's name or a TOML file; with --download a dataset: tau2022, esc50 or micirp"
    parser.add_argument("recipe", nargs="?", default="quickstart", help=recipe_help)
    parser.add_argument("--download", action="store_true", help="download a dataset (tau2022: 27 GB, esc50: 0.6 GB)")
    parser.add_argument("--to", default="data", metavar="FOLDER", help="where a download goes (default: data)")
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)
    return command_line.run(
        "prepare",
        lambda: _prepare(options),
        traceback=options.traceback,
        hint="What is done stays: the same command goes on.",
    )


def _prepare(options: argparse.Namespace) -> None:
    from asc_tf import dataset
    from asc_tf.data.download import archives, published
    from asc_tf.errors import UserError
    from asc_tf.recipe import resolve

    name = options.recipe
    if options.download:
        root = published.fetch(name, options.to)
        found = archives.find(name)
        override = f'dataset={{name="{found.dataset}", root="{root}", {found.settings}}}'
        print(f"{name}: is in {root}\nuse it by:  python -m asc_tf.train RECIPE --set '{override}'")
        return
    if name in archives.PUBLISHED:
        raise UserError(
            f"'{name}' is a dataset, not a recipe: fetch it with --download; prepare it by a recipe that reads it."
        )
    recipe = resolve.load(name, **command_line.recipe_options(options))
    networks = [one for one in (recipe, *resolve.dependencies(recipe)) if not one.member]
    for one in {dataset.prepared_key(one): one for one in networks[::-1]}.values():
        clips = dataset.listing(one)
        prepared = dataset.prepare(one, clips)
        read = len(set(prepared.clip.tolist()))
        left_out = f" ({len(clips) - read:,} left out)" if read < len(clips) else ""
        counts = f"{read:,} files{left_out}, {len(prepared.clip):,} segments"
        print(f"{one.name}: {counts} at {dataset.sample_rate_hz(one)} Hz", flush=True)
    if folder := dataset.data_folder(recipe):
        print(f"the clips are in {folder}\nuse them by:  asc-tf train RECIPE --data {folder}")


if __name__ == "__main__":
    sys.exit(main())
