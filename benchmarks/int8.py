"""Accuracy of int8 relative to float, after quantisation-aware training (QAT) and after calibration alone (PTQ).

Run:     python benchmarks/int8.py [--seeds 1 2 3] [--runs runs/int8] [--only ROW ...] [--data ../shared/data]
Output:  benchmarks/int8.md, written after every finished run: accuracy on the test split, float and int8, and the
         difference, seed by seed; of the made-up scenes also on devices seen and unseen in training.
Needs:   --data FOLDER with `esc10` and `micirp` for the rows of ESC-10.

Twelve trainings take about an hour and a half on two cores. Finished runs are reused and an unfinished one is resumed,
so the same command continues after an interruption.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distillation import ROOT, SHARED, format_spread, train

GRN = "model.grn=true"
# Name of a row -> recipe, its overrides, most points that int8 may lose (after QAT, after PTQ).
ROWS = {
    "ESC-10": ("esc10_baseline2024", [], (0.5, 2)),
    "ESC-10, with GRN": ("esc10_baseline2024", [GRN], (1, 4)),
    "made-up scenes": ("quickstart", [], (0.5, 2)),
    "made-up scenes, with GRN": ("quickstart", [GRN], (1, 4)),
}


def measure(folder: Path, recipe: str, overrides: Sequence[str], data: Path | None) -> dict[str, Any]:
    """Accuracies of one run in percent; it is trained, or resumed, where it is not finished.

    Args:
        folder: The run folder; the copy without QAT is written beside it.
        recipe: Name of the recipe.
        overrides: KEY=VALUE texts.
        data: Folder of the data, where the recipe needs one.

    Returns:
        {"float", "qat", "ptq"}, and {"seen", "unseen"} devices as [float, int8] where the dataset has devices.
    """
    metrics = train(folder, recipe, overrides, data)
    ptq_folder = folder.with_name(f"{folder.name}-ptq")
    quantised_copy(folder, ptq_folder, 'quantise={method="ptq"}')
    qat, ptq = (json.loads((run / "export/parity.json").read_text()) for run in (folder, ptq_folder))
    forms = {"float": qat["float"], "qat": qat["int8"], "ptq": ptq["int8"]}
    accuracies = {name: 100 * figures["accuracy"] for name, figures in forms.items()}
    for devices in ("seen", "unseen"):
        if f"{devices} devices" in metrics["float"]:
            accuracies[devices] = [100 * metrics[form][f"{devices} devices"]["accuracy"] for form in ("float", "int8")]
    return accuracies


def quantised_copy(folder: Path, copy: Path, *overrides: str, options: Sequence[str] = ()) -> None:
    """Copies a run and quantises the copy, unless that is done.

    Args:
        folder: The run folder.
        copy: Folder of the copy.
        overrides: Of the copy's recipe, as --set takes them: its section [quantise].
        options: Further arguments of asc_tf.export.tflite.

    Raises:
        SystemExit: The copy was left unfinished, or the conversion failed.
    """
    if (copy / "export/parity.json").is_file():
        return
    if copy.is_dir():
        raise SystemExit(f"{copy}: was left unfinished; remove it and start again.")
    command = [sys.executable, "-m", "asc_tf.export.tflite", str(folder), "--out", str(copy), *options]
    command += [part for text in overrides for part in ("--set", text)]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status not in (0, 1):  # 1: converted, but over the challenge's limits
        raise SystemExit(f"{copy}: asc_tf.export.tflite ended with status {status}.")


def report(rows: Mapping[str, Sequence[dict]], options: argparse.Namespace) -> str:
    """The text of int8.md.

    Args:
        rows: {name: accuracies of every seed, as `measure` returns them}.
        options: Of the command line.
    """
    only = f" --only {' '.join(map(str, options.only))}" if options.only else ""
    lines = [
        "| | float, % | int8 less float after QAT, points | after PTQ | targets |",
        "|---|---|---|---|---|",
    ]
    for name, runs in rows.items():
        losses = [format_spread([run[form] - run["float"] for run in runs], sign="+") for form in ("qat", "ptq")]
        targets = " and ".join(f"-{points:g}" for points in ROWS[name][2])
        lines.append(f"| {name} | {format_spread([run['float'] for run in runs])} | {' | '.join(losses)} | {targets} |")
    device_lines = [
        f"{name}, {devices} devices: float {format_spread([run[devices][0] for run in runs])}, "
        f"int8 after QAT {format_spread([run[devices][1] for run in runs])}.\n"
        for name, runs in rows.items()
        for devices in ("seen", "unseen")
        if all(devices in run for run in runs)
    ]
    return "\n".join(
        [
            "# Accuracy of int8 relative to float\n",
            f"Written by `python benchmarks/int8.py{only}`; seeds {', '.join(map(str, options.seeds))}; mean ± "
            "standard deviation (each seed). CP-Mobile with the settings of the DCASE 2024 baseline "
            "(`esc10_baseline2024`) on fold 4 of ESC-10, and of `quickstart` on made-up scenes, whose accuracies do "
            "not carry over to real ones.\n",
            *lines,
            "",
            *device_lines,
        ]
    )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, default=Path("runs/int8"))
    parser.add_argument("--only", nargs="+", type=int, help="rows by number, from 0: the table has those alone")
    parser.add_argument("--data", type=Path, default=SHARED)
    options = parser.parse_args()
    rows = {}
    for seed in options.seeds:
        for number, (name, (recipe, changes, _)) in enumerate(ROWS.items()):
            if options.only and number not in options.only:
                continue
            folder = options.runs.resolve() / f"row{number}-seed{seed}"
            data = options.data if recipe.startswith("esc10") else None
            rows.setdefault(name, []).append(measure(folder, recipe, [*changes, f"seed={seed}"], data))
            text = report(rows, options)
            Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
