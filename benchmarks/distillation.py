"""What does distillation bring on real sounds? ESC-10, one fold held out, several seeds, one table.

Run:     python benchmarks/distillation.py [--seeds 1 2 3] [--runs runs/distillation] [--choose] [--set KEY=VALUE ...]
Output:  benchmarks/distillation.md: macro accuracy of seconds and of whole clips, mean and standard deviation over the
         seeds, and the gain over the student alone, seed by seed; benchmarks/distillation/tried.md at its end.
Needs:   the folder that dataset.root of benchmarks/distillation/*.toml names, else --set dataset.root=FOLDER.

Three teachers and fifteen students take about an hour and a half on two cores.
Finished runs are reused and a stopped one goes on, so the same command continues after an interruption; after a
change of the recipes name another folder by --runs.
--choose tests fold 3 and leaves fold 4 out altogether, prints the table and writes nothing: what the recipes say was
chosen that way. All students of a row learn from the same teachers, seeds 1 to 3 of teacher.toml.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "distillation"
ROOT = Path(__file__).parents[1]


def taught(runs, layer=""):
    return f'teacher=[{{recipe="teacher", runs={runs}{layer}}}]'


LOGITS = "distill={temperature=8, label_weight=0.02}"
EMBEDDING = 'distill={temperature=1, label_weight=1, teacher_weight=0, embedding_weight=1, layer="b6_relu"}'
GROUPS = (
    'hierarchy={groups={animals=["dog_bark", "rooster"], nature=["fire_crackling", "rain", "sea_waves"], '
    'people=["baby_cry", "person_sneeze"], machines=["chainsaw", "clock_tick", "helicopter"]}, branches="one"}'
)
# What every row changes in student.toml.
ROWS = {
    "student alone": [],
    "+ logits of one teacher": [taught(1), LOGITS],
    "+ logits of three teachers, their mean": [taught(3), LOGITS],
    "+ embedding of one teacher": [taught(1, ', layer="b4_relu"'), EMBEDDING],
    "+ groups of classes, one branch": [GROUPS],
}
CHOOSING = ["dataset.test_fold=3", "dataset.left_out_folds=[4]"]


def trained(folder, recipe, overrides):
    """What metrics.json of a recipe's run holds, which is made, or gone on with, if it is not finished."""
    metrics = folder / "metrics.json"
    if not metrics.is_file():
        print(f"\n{folder}", flush=True)
        command = [sys.executable, "-m", "asc_tf.train", str(recipe), "--out", str(folder), "--resume"]
        subprocess.run([*command, *(part for text in overrides for part in ("--set", text))], check=True, cwd=ROOT)
    return json.loads(metrics.read_text())


def table(rows, teachers):
    """Markdown. rows: {name: {seed: metrics}}; teachers: the metrics of each teacher run."""
    lines = [
        "| | seconds, % | gain over the student alone, points | whole clips, % | parameters | MACs |",
        "|---|---|---|---|---|---|",
    ]
    alone = {seed: seconds(found) for seed, found in rows.get("student alone", {}).items()}
    for name, found in rows.items():
        gains = [seconds(found[seed]) - alone[seed] for seed in found if seed in alone]
        gain = spread(gains, sign="+") if gains and name != "student alone" else ""
        lines.append(line(name, list(found.values()), gain))
    if teachers:
        lines.append(line("the teachers themselves", teachers, ""))
    return "\n".join(lines)


def line(name, found, gain):
    cost = found[0]["cost"]
    whole = spread([100 * metrics["by_file"]["macro_accuracy"] for metrics in found])
    cells = [spread([seconds(m) for m in found]), gain, whole, f"{cost['parameters']:,}", f"{cost['macs']:,}"]
    return f"| {name} | {' | '.join(cells)} |"


def seconds(metrics):
    return 100 * metrics["macro_accuracy"]


def spread(values, sign=""):
    """Mean, standard deviation (n - 1) and every value."""
    deviation = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):{sign}.1f}{deviation} ({', '.join(f'{value:{sign}.1f}' for value in values)})"


def evidence(folder, alone):
    """What there is to be learnt from the teachers, in sentences.  alone: what students reach by themselves, %."""
    from asc_tf import dataset
    from asc_tf.evaluation import evaluate
    from asc_tf.metrics import scores as metrics
    from asc_tf.runs import folder as run_folder

    runs = [run_folder.load(file.parent) for file in sorted(folder.glob("teacher-*/metrics.json"))]
    data = dataset.load(runs[0].recipe, quiet=True)
    tested = [evaluate.scored(run, data)["float"][1] for run in runs]
    together = 100 * metrics.macro_accuracy(data.labels(data.test), metrics.fused(tested, "mean"))
    stored = [np.load(run.path / "teacher_outputs/train-1_crops/0000000.npz")["logits"] for run in runs]
    said, labels = np.mean(np.stack(stored).astype(np.float32), axis=0), data.labels(data.train)
    probabilities = metrics.softmax(said)
    entropy = -np.sum(probabilities * np.log(np.maximum(probabilities, 1e-12)), axis=1).mean()
    return (
        f"The {len(runs)} teachers together, by the mean of their probabilities, reach {together:.1f} %, "
        f"{together - alone:+.1f} points from the student alone: all that could be gained by "
        "copying them. Of the seconds they teach by, which they were trained on, "
        f"their mean logits name the label's class in {100 * np.mean(said.argmax(axis=1) == labels):.1f} %, with a "
        f"log loss of {metrics.log_loss(labels, probabilities):.2f} and an entropy of {entropy:.2f} nat: little "
        "that the labels do not say, but at a high temperature."
    )


def report(rows, teachers, options, found):
    clips = next(iter(next(iter(rows.values())).values()))
    changed = f" `--set {' --set '.join(options.overrides)}`" if options.overrides else ""
    return f"""# What does distillation bring on real sounds?

Made by `python benchmarks/distillation.py`{changed}; seeds {", ".join(map(str, options.seeds))}; {clips["clips"]}
seconds of fold 4, {clips["by_file"]["clips"]} clips. Folds 1 to 3 train.
Mean ± standard deviation over the seeds (each seed).
Macro accuracy over the ten classes. Networks, epochs and weights were chosen on folds 1 to 3.

{table(rows, teachers)}

{found}

{(HERE / "tried.md").read_text(encoding="utf-8")}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, default=Path("runs/distillation"))
    parser.add_argument("--choose", action="store_true")
    parser.add_argument(
        "--only", nargs="+", type=int, help="rows by number, from 0; prints their table and writes nothing"
    )
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options = parser.parse_args()
    overrides = options.overrides + (CHOOSING if options.choose else [])
    folder = options.runs.resolve() / ("choose" if options.choose else "table")
    rows = {}
    for seed in options.seeds:
        for number, (name, changes) in enumerate(ROWS.items()):
            if options.only and number not in options.only:
                continue
            out = folder / f"row{number}-seed{seed}"
            found = trained(out, HERE / "student.toml", [*overrides, *changes, f"seed={seed}"])
            rows.setdefault(name, {})[seed] = found["float"]
            made = [json.loads(file.read_text())["float"] for file in sorted(folder.glob("teacher-*/metrics.json"))]
    print(table(rows, made))
    alone = [seconds(metrics) for metrics in rows.get("student alone", {}).values()]
    found = evidence(folder, np.mean(alone)) if made and alone else ""
    print(found)
    if not options.choose and not options.only:
        (HERE.parent / "distillation.md").write_text(report(rows, made, options, found), encoding="utf-8")


if __name__ == "__main__":
    main()
