"""`python -m asc_tf.complexity RECIPE|RUN|FILE.tflite`: parameters, multiply-accumulates and memory of a network.

Prints a row for each layer, the totals by every counting rule, the memory of the activations and the limits
of the DCASE challenge.  Exit status 0 where it fits, 1 where it does not, 2 where it cannot be counted.

Rules:  T  the challenge's counter with PyTorch: weights and biases at every output position of a
           convolution, everything else once; running statistics are no parameters.
        F  the same with batch norms folded into convolutions, as in an int8 file.
        K  its counter with Keras: all weights, and half of the float operations of TensorFlow's profiler.
Limits are held against the chosen rule's MACs and one byte a parameter, four where the recipe's [quantise] leaves it
in float; of a .tflite file against rule T where model.json beside it describes it, else against what the file shows:
rule F, and one byte for a bias as for a weight.
"""

import argparse
import sys
from pathlib import Path

from asc_tf import command_line

RULES = ("T", "F", "K")  # as asc_tf.cost.measure counts
TAU_CLASSES = 10


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.complexity") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("what", help="a shipped recipe's name or a TOML file, a run folder, or a .tflite file")
    parser.add_argument("--rule", choices=RULES, default="T", help="the rule of the table and of the limits")
    parser.add_argument(
        "--classes", type=command_line.number(int, 1), help=f"of a recipe (default: {TAU_CLASSES}, as TAU has)"
    )
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)
    return command_line.run("complexity", lambda: _complexity(options), traceback=options.traceback)


def _complexity(options: argparse.Namespace) -> int:
    from asc_tf.cost import measure

    if Path(options.what).suffix == ".tflite":
        lines, fits = measure.tflite_report(options.what, _counted(Path(options.what)))
    else:
        counted = _members(options)
        networks, float_layers = ({name: pair[at] for name, pair in counted.items()} for at in (0, 1))
        if len(networks) > 1:
            lines, fits = measure.system_report(networks, options.rule, float_layers)
        else:
            lines, fits = measure.network_report(*networks.values(), options.rule, *float_layers.values())
    print("\n".join(lines))
    return command_line.OK if fits else command_line.FAULTS


def _members(options: argparse.Namespace) -> dict[str, tuple[object, list[str]]]:
    """(untrained network, its layers in float) by name: of a recipe or a run folder, or of all members of a system."""
    from asc_tf.errors import UserError
    from asc_tf.inference.system import TrainedSystem, load_run
    from asc_tf.recipe import resolve

    if not Path(options.what).is_dir():
        recipe = resolve.load(options.what, **command_line.recipe_options(options))
        return _of_recipe(recipe, options.classes or TAU_CLASSES)
    if options.overrides or options.classes or options.data or options.small:
        raise UserError(f"{options.what}: a run has its own recipe and classes; leave the other options out.")
    run = load_run(options.what)
    if isinstance(run, TrainedSystem):
        return {member.path.name: _of_run(member.folder) for member in run.members}
    return {run.path.name: _of_run(run.folder)}


def _of_recipe(recipe, classes):
    from asc_tf import build
    from asc_tf.recipe import resolve
    from asc_tf.runs import folder

    if not recipe.member:
        return {recipe.name: (build.checked_network(recipe, classes), _float_layers(recipe, classes))}
    networks = {}
    for entry, recipes in zip(recipe.member, resolve.members(recipe), strict=True):
        if entry.run:
            networks[entry.run] = _of_run(folder.load(entry.run))
        for one in recipes:
            name = one.name if len(recipes) == 1 else f"{one.name} {one.seed}"
            networks[name] = build.checked_network(one, classes), _float_layers(one, classes)
    return networks


def _of_run(run):
    from asc_tf import build
    from asc_tf.runs import digests, layout, products

    digests.check(run)
    network = build.checked_network(run.recipe, len(run.labels))
    if run.has(layout.INT8):
        products.read(run, layout.INT8)
        return network, run.read(layout.METADATA)["float_layers"]
    return network, _float_layers(run.recipe, len(run.labels))


def _float_layers(recipe, classes):
    """Names of the layers that the recipe's int8 file has in float; none without [quantise]."""
    if not recipe.quantise:
        return []
    from asc_tf import build
    from asc_tf.export.quantisation import qat

    return qat.check(build.network(recipe, classes, foldable=True), recipe.quantise.float_layers)


def _counted(file):
    """The challenge's counts in the JSON file beside a .tflite file, where that describes it; otherwise None."""
    from asc_tf.runs import digests, files

    description = file.with_suffix(".json")
    if not (file.is_file() and description.is_file()):
        return None
    read = files.tree_like({"sha256": str, "challenge": {"parameters": int, "bytes": int, "macs": int}})
    try:
        tree = read(description.read_bytes())
    except files.DAMAGE:
        return None  # of something else
    return tree["challenge"] if tree["sha256"] == digests.sha256(file.read_bytes()) else None


if __name__ == "__main__":
    sys.exit(main())
