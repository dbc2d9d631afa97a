"""IRMamba in 8 bits with norms and scan in float: decisions that agree with float, size, latency, arena.

Run:     python benchmarks/ir_mamba_int8.py [--only S1 S3] [--runs runs/ir_mamba_int8]
Output:  benchmarks/ir_mamba_int8.md, written after every finished run: accuracies on the test split of the quickstart's
         made-up scenes, float, after quantisation-aware training and after calibration alone; share of equal decisions;
         bytes of the file; latency with one thread on this computer; arena by export/device/arena.py.

The recipe is the shipped quickstart with another network. A training takes about ten minutes on two cores. Finished
runs are reused, and an unfinished one is resumed.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillation import train
from int8 import convert_without_training

from export.device import arena, footprint

STEM = "stem=[8, 32]"
PRESETS = {
    "S1": f"{STEM}, blocks=[[48, 64], [48, 96], [128, 155]], pmbs=[[48, 2], [64, 2], [72, 2]], pools=[2, 2, 2]",
    "S2": f"{STEM}, blocks=[[48, 64], [48, 96], [128, 155]], "
    "pmbs=[[48, 2], [48, 3], [48, 4], [64, 4], [72, 4]], pools=[2, 1, 2, 1, 2]",
    "S3": f"{STEM}, blocks=[[48, 64], [48, 96], [128, 202]], "
    "pmbs=[[48, 1], [64, 48], [72, 64], [96, 72]], pools=[2, 2, 2, 1]",
}
TARGET = 97.0  # % of the decisions


def measure(folder: Path, preset: str) -> dict[str, Any]:
    """Figures of one network; it is trained, or resumed, where its run is not finished.

    Args:
        folder: The run folder; the copy without quantisation-aware training is written beside it.
        preset: Name of the network.

    Returns:
        {"float", "qat", "ptq"}: parity.json's figures of the forms; "bytes", "latency_ms", "arena_bytes".
    """
    train(folder, "quickstart", [f'model={{name="ir_mamba", {PRESETS[preset]}}}'])
    copy = folder.with_name(f"{folder.name}-ptq")
    if not (copy / "export/parity.json").is_file():
        convert_without_training(folder, copy)
    qat, ptq = (json.loads((run / "export/parity.json").read_text()) for run in (folder, copy))
    content = (folder / "export/model.tflite").read_bytes()
    latency_ms = footprint.measure(folder, "tflite", threads=1)["latency_ms"]
    costs = {"bytes": len(content), "latency_ms": latency_ms, "arena_bytes": arena.estimate(content)}
    return {"float": qat["float"], "qat": qat["int8"], "ptq": ptq["int8"]} | costs


def report(rows: Mapping[str, dict]) -> str:
    """The text of ir_mamba_int8.md.

    Args:
        rows: {name: figures, as `measure` returns them}.
    """
    lines = [
        "# IRMamba in 8 bits\n",
        "Written by `python benchmarks/ir_mamba_int8.py`: the quickstart with another network, seed 1, made-up scenes "
        "(input 128 x 33), whose accuracies do not carry over to real ones. Norms and scans are in float.\n",
        "| | float, % | int8 after QAT | after PTQ | decisions as in float, QAT | PTQ | target | file, bytes "
        "| latency, ms | arena, bytes |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        accuracies = [f"{100 * row[form]['accuracy']:.1f}" for form in ("float", "qat", "ptq")]
        agreements = [f"{100 * row[form]['agreement']:.1f} %" for form in ("qat", "ptq")]
        costs = [f"{row['bytes']:,}", f"{row['latency_ms']:.1f}", f"{row['arena_bytes']:,}"]
        lines.append(f"| {' | '.join([name, *accuracies, *agreements, f'{TARGET:g} %', *costs])} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PRESETS, default=["S1", "S3"])
    parser.add_argument("--runs", type=Path, default=Path("runs/ir_mamba_int8"))
    options = parser.parse_args()
    folder, rows = options.runs.resolve(), {}
    for preset in options.only:
        rows[preset] = measure(folder / preset, preset)
        text = report(rows)
        Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
