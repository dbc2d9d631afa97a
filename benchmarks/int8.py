"""How much accuracy do 8 bits cost? Float beside int8, after quantisation-aware training and after none.

Run:     python benchmarks/int8.py [--seeds 1 2 3] [--runs runs/int8] [--only ROW ...]
Output:  benchmarks/int8.md, written after every run that ends: accuracy on the test split, float and int8, and the
         difference, seed by seed; of the made-up scenes on devices seen in training and not, too.
Needs:   ../shared/data for ESC-10, as recipes/esc10_cp_mobile.toml names it.

Twelve trainings take about an hour and a half on two cores.  Finished runs are reused and a stopped one goes on, so
the same command continues after an interruption.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from distillation import ROOT, spread, trained

GRN = "model.grn=true"
# name: recipe, what it changes, (most points that int8 may lose after QAT, after PTQ)
ROWS = {
    "ESC-10": ("esc10_cp_mobile", [], (0.5, 2)),
    "ESC-10, with GRN": ("esc10_cp_mobile", [GRN], (1, 4)),
    "made-up scenes": ("quickstart", [], (0.5, 2)),
    "made-up scenes, with GRN": ("quickstart", [GRN], (1, 4)),
}


def measured(folder, recipe, overrides):
    """{"float", "qat", "ptq", "seen", "unseen"}: accuracies in percent of one run, made or gone on with."""
    report = trained(folder, recipe, overrides)
    without = folder.with_name(f"{folder.name}-ptq")
    if not (without / "export/parity.json").is_file():
        if without.is_dir():
            raise SystemExit(f"{without}: was left unfinished; remove it and start again.")
        command = [sys.executable, "-m", "export.tflite", str(folder), "--out", str(without)]
        status = subprocess.run([*command, "--set", 'quantise={method="ptq"}'], cwd=ROOT, check=False).returncode
        if status not in (0, 1):  # 1: made, but over the challenge's limits
            raise SystemExit(f"{without}: export.tflite ended with status {status}.")
    qat, ptq = (json.loads((run / "export/parity.json").read_text()) for run in (folder, without))
    found = {"float": qat["float"], "qat": qat["int8"], "ptq": ptq["int8"]}
    found = {name: 100 * figures["accuracy"] for name, figures in found.items()}
    for which in ("seen", "unseen"):
        if f"{which} devices" in report["float"]:
            found[which] = [100 * report[form][f"{which} devices"]["accuracy"] for form in ("float", "int8")]
    return found


def report(rows, options):
    only = f" --only {' '.join(map(str, options.only))}" if options.only else ""
    lines = [
        "| | float, % | int8 less float after QAT, points | after PTQ | promised |",
        "|---|---|---|---|---|",
    ]
    for name, found in rows.items():
        losses = [spread([one[way] - one["float"] for one in found], sign="+") for way in ("qat", "ptq")]
        most = " and ".join(f"-{points:g}" for points in ROWS[name][2])
        lines.append(f"| {name} | {spread([one['float'] for one in found])} | {' | '.join(losses)} | {most} |")
    devices = [
        f"{name}, {which} devices: float {spread([one[which][0] for one in found])}, "
        f"int8 after QAT {spread([one[which][1] for one in found])}.\n"
        for name, found in rows.items()
        for which in ("seen", "unseen")
        if all(which in one for one in found)
    ]
    return "\n".join(
        [
            "# How much accuracy do 8 bits cost?\n",
            f"Made by `python benchmarks/int8.py{only}`; seeds {', '.join(map(str, options.seeds))}; mean ± deviation "
            "(each seed). CP-Mobile of the two recipes, tested on fold 4 of ESC-10 and on made-up scenes, which say "
            "nothing about real ones.\n",
            *lines,
            "",
            *devices,
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, default=Path("runs/int8"))
    parser.add_argument("--only", nargs="+", type=int, help="rows by number, from 0: the table has those alone")
    options = parser.parse_args()
    rows = {}
    for seed in options.seeds:
        for number, (name, (recipe, changes, _)) in enumerate(ROWS.items()):
            if options.only and number not in options.only:
                continue
            folder = options.runs.resolve() / f"row{number}-seed{seed}"
            rows.setdefault(name, []).append(measured(folder, recipe, [*changes, f"seed={seed}"]))
            text = report(rows, options)
            Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
