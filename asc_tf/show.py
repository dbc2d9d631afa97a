"""`python -m asc_tf.show`: draw the spectrograms of a sound; count and draw the clips of a recipe.

features FILE --out PNG      the mel, gammatone and constant-Q spectrograms of a sound side by side, in the
                             settings of the ait2023 system: 44.1 kHz, 128 bands, a hop of 326 samples
data RECIPE [--out PNG]      clips of each class, device and city in each split; with --out, a clip of every
                             class unchanged and as three steps of training would augment it
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.show") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    kinds = parser.add_subparsers(dest="what", required=True)
    features = kinds.add_parser("features", help="the spectrograms of a sound")
    features.add_argument("file", help="an audio file of any rate and channel count")
    features.add_argument("--out", required=True, metavar="PNG", help="the picture to write")
    features.add_argument(
        "--start-s", type=command_line.number(float, 0), default=0.0, help="where in the file to begin"
    )
    features.add_argument(
        "--seconds", type=command_line.number(float, 0), default=10.0, help="how much to show, at most"
    )
    data = kinds.add_parser("data", help="a recipe's clips, counted and drawn")
    data.add_argument("recipe", nargs="?", default="quickstart", help="a shipped recipe's name or a TOML file")
    data.add_argument("--out", metavar="PNG", help="the sheet of augmented spectrograms to write")
    command_line.add_overrides(data)
    options = parser.parse_args(arguments)
    return command_line.run("show", lambda: _show(options), traceback=options.traceback)


def _show(options: argparse.Namespace) -> None:
    from asc_tf.evaluation import show
    from asc_tf.recipe import resolve

    if options.what == "data":
        show.data(resolve.load_single(options.recipe, **command_line.recipe_options(options)), options.out)
    else:
        show.features(options.file, options.out, start_s=max(0.0, options.start_s), seconds=options.seconds)


if __name__ == "__main__":
    sys.exit(main())
