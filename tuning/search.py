"""`python -m asc_tf.tuning.search RECIPE SPACE --trials N`: search over settings of a recipe, under limits of size.

Draws settings from SPACE (width, cp_mobile, front_end, distillation, or a TOML file), leaves out those whose network
is beyond a limit, trains the others and compares them on the validation split; the test split chooses nothing. The
results are in search.html, search.md, trials.csv and best/ of the search's folder.

Stopped in any way, the same command goes on. Started several times with the same --out, also on several machines that
share it, the processes divide the trials between them.
"""

import argparse
import importlib.util
import os
import sys

from asc_tf import command_line

TUNERS = ("random", "hyperband", "bayesian", "grid")


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.tuning.search") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    whole = command_line.number(int, 1, 1e12)
    parser.add_argument("recipe", help="a shipped recipe's name or a TOML file")
    parser.add_argument("space", help="a shipped space's name or a TOML file")
    parser.add_argument("--trials", type=command_line.number(int, 1), required=True, help="number of trials in all")
    parser.add_argument("--out", help="the search's folder (default: runs/search_RECIPE_SPACE)")
    parser.add_argument("--tuner", choices=TUNERS, default="random", help="KerasTuner's choice of settings")
    parser.add_argument(
        "--objective",
        default="float.macro_accuracy",
        metavar="KEY",
        help="the figure of the validation split that is optimised, by its keys in metrics.json, such as "
        "int8.macro_accuracy or float.log_loss (default: %(default)s)",
    )
    parser.add_argument("--ptq", action="store_true", help="int8 by post-training quantisation, instead of [quantise]")
    parser.add_argument(
        "--seeds", type=_seeds, metavar="SEEDS", help="train every trial with each of 1,2,3; the mean counts"
    )
    parser.add_argument("--max-parameters", type=whole, metavar="N", help="most parameters, instead of --max-bytes")
    parser.add_argument(
        "--max-bytes", type=whole, metavar="N", help="most bytes of parameters (default: 128000, the challenge's)"
    )
    parser.add_argument(
        "--max-macs", type=whole, metavar="N", help="most MACs for a clip (default: 30000000, the challenge's)"
    )
    parser.add_argument("--max-ram", type=whole, metavar="N", help="most bytes of int8 activations (default: any)")
    parser.add_argument(
        "--size-penalty",
        type=command_line.number(float, 0.0),
        default=0.0,
        metavar="POINTS",
        help="what a network at a limit loses of the objective; smaller ones lose in proportion",
    )
    parser.add_argument("--threads", type=command_line.number(int, 1, 1024), help="processor threads of this process")
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)
    return command_line.run(
        "search",
        lambda: _search(options),
        traceback=options.traceback,
        hint="Nothing is lost: the same command goes on.",
    )


def _seeds(text):
    """Type of an option: different whole numbers, joined by commas."""
    one = command_line.number(int, 0, 2**31 - 1)
    seeds = [one(part) for part in text.split(",")]
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"'{text}' has a seed twice")
    return seeds


def _search(options: argparse.Namespace) -> None:
    from asc_tf.errors import UserError

    if not importlib.util.find_spec("keras_tuner"):
        raise UserError("a search needs KerasTuner: pip install 'asc_tf[tuning]'.")
    if options.threads:  # TensorFlow reads these once
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            os.environ[name] = str(options.threads)

    from asc_tf.recipe import resolve
    from asc_tf.tuning.engine import space_file
    from asc_tf.tuning.engine.budget import Limits
    from asc_tf.tuning.run import search

    recipe = resolve.load_single(options.recipe, **command_line.recipe_options(options))
    given = {name: getattr(options, f"max_{name}") for name in ("parameters", "bytes", "macs", "ram")}
    limits = {name: most for name, most in given.items() if most is not None}
    if "parameters" in limits and "bytes" not in limits:
        limits["bytes"] = None
    search(
        recipe,
        space_file.load(options.space),
        trials=options.trials,
        out=options.out,
        tuner=options.tuner,
        objective=options.objective,
        ptq=options.ptq,
        seeds=options.seeds,
        limits=Limits(**limits),
        size_penalty=options.size_penalty,
    )


if __name__ == "__main__":
    sys.exit(main())
