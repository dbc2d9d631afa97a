"""Accuracy in int8 relative to float of students whose networks are not convolutions alone, on made-up scenes.

Run:     python benchmarks/students_int8.py NAME ... [--seeds 1 2 3] [--runs runs/students_int8] [--epochs 24]
Output:  printed: for each student accuracy in float, its difference after calibration alone (PTQ) and after
         quantisation-aware training (QAT), and the share of equal decisions, seed by seed with mean and spread.

The quickstart with another network and without its teacher, which changes what the float network learns and not what
8 bits lose. A finished run is reused and an unfinished one is resumed.
"""

import argparse
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

from distillation import ROOT, format_spread, train
from int8 import quantised_copy

QUICKSTART = ROOT / "asc_tf/recipes/quickstart.toml"
METHODS = {
    "ptq": 'quantise={method="ptq"}',
    "qat": 'quantise={epochs=2, frozen_epochs=2, learning_rate=2e-5, distil_from="float"}',
}
# Name -> [model], and what else of the recipe differs.
STUDENTS = {
    "tf_sepnet": (
        {"name": "tf_sepnet", "width": 64, "depth": 17, "kernel": 3, "norm_factor": 0.1, "dropout": 0.1},
        {},
    ),
    # The GRU needs 16 rows of frequency, of 256 bands; the longer FFT leaves none of them without a bin.
    "tan_cnn_gru": (
        {
            "name": "tan_cnn_gru",
            "width": 24,
            "multiplier": 1.5,
            "expansion": 2,
            "divisor": 5.0,
            "channel_dropout": 0.3,
            "step_dropout": 0.5,
        },
        {"bands": 256, "window_samples": 4096, "fft_samples": 4096},
    ),
}


def write_recipe(name: str, file: Path, epochs: int) -> None:
    """Writes the recipe of a student: the quickstart's without teacher and quantisation.

    Args:
        name: Key of STUDENTS.
        file: The file to write.
        epochs: Epochs of the float training.
    """
    from asc_tf.recipe import checks, resolve

    model, feature = STUDENTS[name]
    tree = tomllib.loads(QUICKSTART.read_text())
    tree = {key: value for key, value in tree.items() if key not in ("teacher", "distill", "quantise")}
    tree["model"], tree["feature"], tree["train"]["epochs"] = model, tree["feature"] | feature, epochs
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(resolve.to_toml(checks.from_tree(tree, str(file))))


def quantised(folder: Path, method: str) -> dict[str, dict[str, float]]:
    """Comparison of the forms of a run's copy that is quantised, as parity.json has it.

    Args:
        folder: The trained run.
        method: Key of METHODS.

    Raises:
        SystemExit: The copy was left unfinished, or the conversion failed.
    """
    copy = folder.with_name(f"{folder.name}-{method}")
    quantised_copy(folder, copy, METHODS[method])
    return json.loads((copy / "export/parity.json").read_text())


def row(name: str, runs: Sequence[dict[str, dict]]) -> str:
    """A row of the table.

    Args:
        name: Of the student.
        runs: Of every seed, {method: its comparison}.
    """
    cells = [format_spread([100 * run["qat"]["float"]["accuracy"] for run in runs])]
    for method in METHODS:
        differences = [100 * (run[method]["int8"]["accuracy"] - run[method]["float"]["accuracy"]) for run in runs]
        agreements = [100 * run[method]["int8"]["agreement"] for run in runs]
        cells += [format_spread(differences, sign="+"), format_spread(agreements)]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=STUDENTS, metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, default=Path("runs/students_int8"))
    parser.add_argument("--epochs", type=int, default=24)
    options = parser.parse_args()
    lines = ["| | float, % | int8 after PTQ, points | agree, % | int8 after QAT, points | agree, % |"]
    lines.append("|---|---|---|---|---|---|")
    for name in options.names:
        runs, recipe = [], options.runs.resolve() / f"{name}.toml"
        write_recipe(name, recipe, options.epochs)
        for seed in options.seeds:
            folder = recipe.with_name(f"{name}-seed{seed}")
            train(folder, recipe, [f"seed={seed}"])
            runs.append({method: quantised(folder, method) for method in METHODS})
        lines.append(row(name, runs))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
