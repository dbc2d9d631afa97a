"""`python -m asc_tf.import_weights CHECKPOINT --recipe RECIPE --out RUN`: make a run of a PyTorch checkpoint.

Reads .pt, .pth, .ckpt and .safetensors without PyTorch and without running anything from the file, assigns every
tensor to the recipe's network and writes a run folder that evaluate, predict and complexity take like any
other.  The report lists where every key went, or why it was left out; import.txt in the run holds it.  A checkpoint
of another network is refused and nothing is written.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.import_weights") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("checkpoint", help="a .pt, .pth, .ckpt or .safetensors file")
    parser.add_argument("--recipe", required=True, help="a shipped recipe's name or a TOML file")
    parser.add_argument("--out", required=True, metavar="RUN", help="the run folder to make")
    parser.add_argument("--labels", help="the classes in order, with commas (default: those of the recipe's dataset)")
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)
    return command_line.run("import_weights", lambda: _import(options), traceback=options.traceback)


def _import(options: argparse.Namespace) -> None:
    from asc_tf.recipe import resolve
    from asc_tf.training.imported_weights import import_weights

    labels = tuple(options.labels.split(",")) if options.labels else ()
    run = import_weights(
        options.checkpoint, resolve.load(options.recipe, options.overrides), options.out, labels=labels
    )
    print(f"{run.path}: ready; python -m asc_tf.predict {run.path} FILE ...")


if __name__ == "__main__":
    sys.exit(main())
