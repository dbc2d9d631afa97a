"""Gain of distillation on real sounds: ESC-10, one fold held out, several seeds, one table.

Run:     python benchmarks/distillation.py [--seeds 1 2 3] [--runs runs/distillation] [--choose] [--set KEY=VALUE ...]
                                           [--data ../shared/data]
Output:  benchmarks/distillation.md: macro accuracy of seconds and of whole clips, mean and standard deviation over the
         seeds, and the gain over the student alone, seed by seed; benchmarks/distillation/tried.md at its end.
Needs:   --data FOLDER with `esc10`, ESC-50 or its ten classes.

Three teachers and fifteen students take about an hour and a half on two cores.
Finished runs are reused and an unfinished one is resumed, so the same command continues after an interruption; after a
change of the recipes name another folder by --runs.
--choose tests fold 3 and leaves fold 4 out altogether, prints the table and writes nothing: the settings of the recipes
were chosen that way. All students of a row have the same teachers, seeds 1 to 3 of teacher.toml.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent / "distillation"
ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("ASC_TF_SHARED", ROOT / "../shared")) / "data"


def teacher_override(runs: int, layer: str = "") -> str:
    """Override of a recipe's teachers: some runs of teacher.toml, `layer` a further key of the section."""
    return f'teacher=[{{recipe="teacher", runs={runs}{layer}}}]'


LOGITS = "distill={temperature=8, label_weight=0.02}"
EMBEDDING = 'distill={temperature=1, label_weight=1, teacher_weight=0, embedding_weight=1, layer="b6_relu"}'
GROUPS = (
    '{animals=["dog_bark", "rooster"], nature=["fire_crackling", "rain", "sea_waves"], '
    'people=["baby_cry", "person_sneeze"], machines=["chainsaw", "clock_tick", "helicopter"]}'
)  # of the classes of ESC-10
# Name of a row -> its overrides of student.toml.
ROWS = {
    "student alone": [],
    "+ logits of one teacher": [teacher_override(1), LOGITS],
    "+ logits of three teachers, their mean": [teacher_override(3), LOGITS],
    "+ embedding of one teacher": [teacher_override(1, ', layer="b4_relu"'), EMBEDDING],
    "+ groups of classes, one branch": [f'hierarchy={{groups={GROUPS}, branches="one"}}'],
}
CHOOSING = ["dataset.test_fold=3", "dataset.left_out_folds=[4]"]


def train(folder: Path, recipe: str | Path, overrides: Sequence[str], data: Path | None = None) -> dict[str, Any]:
    """Trains a recipe where its run is not finished, and resumes an unfinished run.

    Args:
        folder: The run folder.
        recipe: Name or file of the recipe.
        overrides: KEY=VALUE texts.
        data: Folder of the data, where the recipe needs one.

    Returns:
        The content of metrics.json.
    """
    metrics = folder / "metrics.json"
    if not metrics.is_file():
        print(f"\n{folder}", flush=True)
        command = [sys.executable, "-m", "asc_tf.train", str(recipe), "--out", str(folder), "--resume"]
        command += ["--data", str(data.resolve())] if data else []
        subprocess.run([*command, *(part for text in overrides for part in ("--set", text))], check=True, cwd=ROOT)
    return json.loads(metrics.read_text())


def format_table(rows: Mapping[str, Mapping[int, dict]], teachers: Sequence[dict]) -> str:
    """The table in Markdown.

    Args:
        rows: {name: {seed: metrics}}.
        teachers: Metrics of each teacher run.
    """
    lines = [
        "| | seconds, % | gain over the student alone, points | whole clips, % | parameters | MACs |",
        "|---|---|---|---|---|---|",
    ]
    alone = {seed: segment_accuracy(metrics) for seed, metrics in rows.get("student alone", {}).items()}
    for name, by_seed in rows.items():
        gains = [segment_accuracy(metrics) - alone[seed] for seed, metrics in by_seed.items() if seed in alone]
        gain = format_spread(gains, sign="+") if gains and name != "student alone" else ""
        lines.append(format_row(name, list(by_seed.values()), gain))
    if teachers:
        lines.append(format_row("the teachers themselves", teachers, ""))
    return "\n".join(lines)


def format_row(name: str, runs: Sequence[dict], gain: str) -> str:
    """A row of the table, from the metrics of runs of equal networks."""
    cost = runs[0]["cost"]
    segments = format_spread([segment_accuracy(metrics) for metrics in runs])
    whole = format_spread([100 * metrics["by_file"]["macro_accuracy"] for metrics in runs])
    cells = [segments, gain, whole, f"{cost['parameters']:,}", f"{cost['macs']:,}"]
    return f"| {name} | {' | '.join(cells)} |"


def segment_accuracy(metrics: Mapping[str, Any]) -> float:
    """Macro accuracy of the seconds, in percent."""
    return 100 * metrics["macro_accuracy"]


def format_spread(values: Sequence[float], sign: str = "") -> str:
    """Mean, standard deviation (n - 1) and every value; `sign` is "+" for differences."""
    std = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):{sign}.1f}{std} ({', '.join(f'{value:{sign}.1f}' for value in values)})"


def describe_teachers(folder: Path, alone: float) -> str:
    """Sentences on the most that a student can gain from the teachers.

    Args:
        folder: Folder of the runs.
        alone: Mean accuracy of the students without teachers, in percent.
    """
    from asc_tf import dataset, metrics
    from asc_tf.evaluation import evaluate
    from asc_tf.inference.system import load_run

    runs = [load_run(file.parent) for file in sorted(folder.glob("teacher-*/metrics.json"))]
    data = dataset.load(runs[0].recipe, quiet=True)
    tested = [evaluate.predictions(run, data)["float"][1] for run in runs]
    fused = 100 * metrics.macro_accuracy(data.labels(data.test), metrics.fuse(tested, "mean"))
    stored = [np.load(run.path / "teacher_outputs/train-1_crops/0000000.npz")["logits"] for run in runs]
    logits, labels = np.mean(np.stack(stored).astype(np.float32), axis=0), data.labels(data.train)
    probabilities = metrics.softmax(logits)
    entropy = -np.sum(probabilities * np.log(np.maximum(probabilities, 1e-12)), axis=1).mean()
    return (
        f"The {len(runs)} teachers fused, by the mean of their probabilities, reach {fused:.1f} %, "
        f"{fused - alone:+.1f} points from the student alone: the most that copying them can gain. "
        "On the seconds of the distillation, which they were trained on, "
        f"the class of their mean logits is the label's in {100 * np.mean(logits.argmax(axis=1) == labels):.1f} %, "
        f"with a log loss of {metrics.log_loss(labels, probabilities):.2f} and an entropy of {entropy:.2f} nat: little "
        "that is not in the labels, except at a high temperature."
    )


def report(
    rows: Mapping[str, Mapping[int, dict]], teachers: Sequence[dict], options: argparse.Namespace, description: str
) -> str:
    """The text of distillation.md.

    Args:
        rows: {name: {seed: metrics}}.
        teachers: Metrics of each teacher run.
        options: Of the command line.
        description: As `describe_teachers` returns it.
    """
    clips = next(iter(next(iter(rows.values())).values()))
    changed = f" `--set {' --set '.join(options.overrides)}`" if options.overrides else ""
    return f"""# Gain of distillation on real sounds

Written by `python benchmarks/distillation.py`{changed}; seeds {", ".join(map(str, options.seeds))}; {clips["clips"]}
seconds of fold 4, {clips["by_file"]["clips"]} clips. Folds 1 to 3 train.
Mean ± standard deviation over the seeds (each seed).
Macro accuracy over the ten classes. Networks, epochs and weights were chosen on folds 1 to 3.

{format_table(rows, teachers)}

{description}

{(HERE / "tried.md").read_text(encoding="utf-8")}"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, default=Path("runs/distillation"))
    parser.add_argument("--choose", action="store_true")
    parser.add_argument(
        "--only", nargs="+", type=int, help="rows by number, from 0; prints their table and writes nothing"
    )
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--data", type=Path, default=SHARED)
    options = parser.parse_args()
    overrides = options.overrides + (CHOOSING if options.choose else [])
    folder = options.runs.resolve() / ("choose" if options.choose else "table")
    rows = {}
    for seed in options.seeds:
        for number, (name, changes) in enumerate(ROWS.items()):
            if options.only and number not in options.only:
                continue
            out = folder / f"row{number}-seed{seed}"
            metrics = train(out, HERE / "student.toml", [*overrides, *changes, f"seed={seed}"], options.data)
            rows.setdefault(name, {})[seed] = metrics["float"]
    teachers = [json.loads(file.read_text())["float"] for file in sorted(folder.glob("teacher-*/metrics.json"))]
    print(format_table(rows, teachers))
    alone = [segment_accuracy(metrics) for metrics in rows.get("student alone", {}).values()]
    description = describe_teachers(folder, np.mean(alone)) if teachers and alone else ""
    print(description)
    if not options.choose and not options.only:
        (HERE.parent / "distillation.md").write_text(report(rows, teachers, options, description), encoding="utf-8")


if __name__ == "__main__":
    main()
