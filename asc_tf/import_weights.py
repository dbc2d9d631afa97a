"""`python -m asc_tf.import_weights FILE --recipe RECIPE --out RUN`: make a run of anybody's weights.

FILE is of PyTorch (.pt, .pth, .ckpt, .bin), .safetensors, Keras (.h5, .weights.h5, .keras) or .npz; it is read without
PyTorch and without running anything from it.  Or it is the name of public weights, which --list shows, with --download.

Every weight of the recipe's network must be in the file exactly once; wrappers' prefixes are found by the match, and
whatever is no part of the network is ignored.  import.txt in the run lists where every tensor went.  A file of another
network is refused with the settings that would fit, and nothing is written; --guess imports with those settings and
writes the recipe to RUN.toml.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.import_weights") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("file", nargs="?", help="a file of weights, or the name of public weights")
    parser.add_argument("--list", action="store_true", help="show the public weights, and stop")
    parser.add_argument("--download", action="store_true", help="download the public weights that FILE names")
    parser.add_argument("--to", default="weights", metavar="FOLDER", help="where a download goes (default: weights)")
    parser.add_argument("--recipe", help="a shipped recipe's name or a TOML file (default: that of the public weights)")
    parser.add_argument("--out", metavar="RUN", help="the run folder to make (default with --download: runs/FILE)")
    parser.add_argument(
        "--labels",
        help="the classes in order: with commas, a file with one a line, or tau, audioset_527, cochlscene_13 "
        "(default: those of the recipe)",
    )
    parser.add_argument("--prefix", help="start of the network's keys, where the file holds several networks")
    parser.add_argument("--guess", action="store_true", help="take the network's settings from the shapes in the file")
    parser.add_argument(
        "--new-head", action="store_true", help="leave the head untrained: for embeddings, or for [init] run"
    )
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)
    return command_line.run("import_weights", lambda: _import(options), traceback=options.traceback)


def _import(options: argparse.Namespace) -> None:
    from asc_tf.checkpoints import public
    from asc_tf.errors import UserError
    from asc_tf.importing import download
    from asc_tf.importing.weights import import_weights
    from asc_tf.recipe import labels, resolve

    if options.list:
        print(download.table())
        return
    if not options.file:
        raise UserError("name a FILE of weights, or --list the public ones.")
    weights = public.find(options.file) if options.download or options.file in public.PUBLIC else None
    if weights and not options.download:
        raise UserError(f"{options.file}: are public weights; add --download to fetch them.")
    name, out = options.recipe, options.out
    if weights:
        name, out = name or weights.recipe, out or f"runs/{options.file}"
    if not name or not out:
        raise UserError("name the network's --recipe and the --out folder.")
    changes = command_line.recipe_options(options)
    changes["overrides"] = [*(weights.overrides if weights else ()), *options.overrides]
    recipe = resolve.load_single(name, **changes)
    file = download.fetch(options.file, options.to) if weights else options.file
    names = labels.read(options.labels) if options.labels else ()
    ways = {"prefix": options.prefix, "guess": options.guess, "new_head": options.new_head}
    run = import_weights(file, recipe, out, labels=names, **ways)
    use = f'[init] run = "{run.path}"' if options.new_head else f"python -m asc_tf.predict {run.path} FILE ..."
    print(f"{run.path}: ready; {use}")


if __name__ == "__main__":
    sys.exit(main())
