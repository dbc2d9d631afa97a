"""IRMamba in 8 bits with norms and scan in float: decisions that agree with float, size, latency, arena.

Run:     python benchmarks/ir_mamba_int8.py [--only S1 S3] [--runs runs/ir_mamba_int8]
Output:  benchmarks/ir_mamba_int8.md, written after every finished run: accuracies on the test split of the quickstart's
         made-up scenes and share of decisions as in float, for three ways to quantise; bytes of the file; latency with
         one thread on this computer; arena by export/device/arena.py.

The recipe is the shipped quickstart with another network. A network takes a quarter of an hour on two cores. Finished
runs are reused, and an unfinished training is resumed.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillation import train
from int8 import quantised_copy

from asc_tf.export.device import arena, footprint

STEM = "stem=[8, 32]"
PRESETS = {
    "S1": f"{STEM}, blocks=[[48, 64], [48, 96], [128, 155]], pmbs=[[48, 2], [64, 2], [72, 2]], pools=[2, 2, 2]",
    "S2": f"{STEM}, blocks=[[48, 64], [48, 96], [128, 155]], "
    "pmbs=[[48, 2], [48, 3], [48, 4], [64, 4], [72, 4]], pools=[2, 1, 2, 1, 2]",
    "S3": f"{STEM}, blocks=[[48, 64], [48, 96], [128, 202]], "
    "pmbs=[[48, 1], [64, 48], [72, 64], [96, 72]], pools=[2, 2, 2, 1]",
}
TARGET = 97.0  # % of the decisions
LONGER = '{epochs=6, frozen_epochs=6, learning_rate=1e-4, distil_from="float"}'
# Name of a way to quantise -> suffix of the run's copy, its [quantise]; the first is the recipe's, in the run itself.
WAYS = {
    "QAT, 2 epochs at 2e-5": ("", None),
    "QAT, 6 epochs at 1e-4": ("-longer", LONGER),
    "calibration alone": ("-ptq", '{method="ptq"}'),
}


def quantised(folder: Path, suffix: str, quantise: str) -> Path:
    """Copy of a run, quantised in another way.

    Args:
        folder: The run folder.
        suffix: End of the name of the copy.
        quantise: The section [quantise], in TOML.

    Raises:
        SystemExit: The copy was left unfinished, or the conversion failed.
    """
    copy = folder.with_name(folder.name + suffix)
    quantised_copy(folder, copy, f"quantise={quantise}")
    return copy


def measure(folder: Path) -> dict[str, Any]:
    """Figures of a run and its file.

    Args:
        folder: The run folder.

    Returns:
        {"float", "int8"}: parity.json's figures of the forms; "bytes", "latency_ms", "arena_bytes".
    """
    figures = json.loads((folder / "export/parity.json").read_text())
    content = (folder / "export/model.tflite").read_bytes()
    latency_ms = footprint.measure(folder, "tflite", threads=1)["latency_ms"]
    costs = {"bytes": len(content), "latency_ms": latency_ms, "arena_bytes": arena.estimate(content)}
    return {form: figures[form] for form in ("float", "int8")} | costs


def report(rows: Mapping[tuple[str, str], dict]) -> str:
    """The text of ir_mamba_int8.md.

    Args:
        rows: {(name of the network, way to quantise): figures, as `measure` returns them}.
    """
    lines = [
        "# IRMamba in 8 bits\n",
        "Written by `python benchmarks/ir_mamba_int8.py`: the quickstart with another network, seed 1, on made-up "
        "scenes (input 128 x 33), whose accuracies do not carry over to real ones. Norms and scans are in float.\n",
        "| | quantisation | float, % | int8, % | decisions as in float | target | file, bytes | latency, ms "
        "| arena, bytes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, way), row in rows.items():
        accuracies = [f"{100 * row[form]['accuracy']:.1f}" for form in ("float", "int8")]
        agreement = [f"{100 * row['int8']['agreement']:.1f} %", f"{TARGET:g} %"]
        costs = [f"{row['bytes']:,}", f"{row['latency_ms']:.1f}", f"{row['arena_bytes']:,}"]
        lines.append(f"| {' | '.join([name, way, *accuracies, *agreement, *costs])} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PRESETS, default=["S1", "S3"])
    parser.add_argument("--runs", type=Path, default=Path("runs/ir_mamba_int8"))
    options = parser.parse_args()
    folder, rows = options.runs.resolve(), {}
    for preset in options.only:
        train(folder / preset, "quickstart", [f'model={{name="ir_mamba", {PRESETS[preset]}}}'])
        for way, (suffix, quantise) in WAYS.items():
            run = quantised(folder / preset, suffix, quantise) if quantise else folder / preset
            rows[preset, way] = measure(run)
            text = report(rows)
            Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
