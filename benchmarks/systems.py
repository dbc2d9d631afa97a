"""The five published systems, whole and small: each beside its student alone, in one table.

Run:     python benchmarks/systems.py [--systems jku2024_s1 ...] [--splits split100 split5 esc10] [--seeds 1]
                                      [--runs FOLDER] [--data ../shared/data]
Output:  benchmarks/systems.json and, made from it, benchmarks/systems.md: macro accuracy on the test split, float and
         int8, on seen and unseen devices, of the system and of its student alone (no teachers, no earlier stages, no
         groups of classes), and the difference.
Needs:   for split100 and split5 nothing: the scenes are synthesised first, in the layout of TAU 2022, 2,400 training
         and 1,200 test clips. For esc10 --data FOLDER with `esc10`; on these real sounds, the seconds of fold 4, run
         hierarchical2024 with groups of our choice and ait2023.

The settings are those of small.toml beside the recipes, with more epochs on the 107 clips of split5 and for ait2023 on
esc10. Figures do not carry over to real scenes. Finished runs are reused and unfinished ones resumed, so the same
command continues after an interruption; after a change of the recipes name another folder by --runs. Rows of former
commands stay in the table.
"""

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from distillation import GROUPS, SHARED

SYSTEMS = ("jku2024_s1", "irmamba2024_s1", "hierarchical2024_s1", "tencent2023_s3", "ait2023")
SPLITS = ("split100", "split5", "esc10")
ON_ESC10 = ("hierarchical2024_s1", "ait2023")  # systems that need neither devices nor their impulse responses
PAGE = Path(__file__).with_suffix(".md")
RECORD = Path(__file__).with_suffix(".json")
GROUPS_OF_CLIPS = {
    "float": ("float", ""),
    "int8": ("int8", ""),
    "seen": ("int8", "seen devices"),
    "unseen": ("int8", "unseen devices"),
}
# On 107 clips the epochs of small.toml are a few dozen steps.
MORE_EPOCHS = "*_*:train.epochs=120"
# On 1,100 seconds of real sound the teachers of small.toml's 8 epochs know less than their students.
ON_ESC10_EPOCHS = {
    "ait2023": (
        "ait2023_teacher_*:train.epochs=24",
        *(f"ait2023_{name}:train.epochs=30" for name in ("cqt", "gammatone", "mel")),
    )
}
ON_AUDIOSET = "*_audioset:train.epochs=1"  # these stages do not depend on the split; ait2023 has none
MADE_UP = {"seed": 1, "train_clips": 2400, "test_clips": 1200, "layout": "tau2022"}


def made_up_data(folder: Path) -> Path:
    """The folder of the made-up data, which is synthesised first where it is absent."""
    from asc_tf.data.datasets import made_up

    settings = {"root": str(folder), **MADE_UP}
    made_up.listing(**settings)
    return made_up.tree_folder(**settings)


def overrides(name: str, split: str, esc10: Path) -> list[str]:
    """The overrides that select the clips of a row of the table.

    Args:
        name: Recipe of the system.
        split: "esc10" or a split of TAU.
        esc10: Folder of ESC-10.
    """
    if split == "split5":
        return ["dataset.split=split5", MORE_EPOCHS, *([] if name == "ait2023" else [ON_AUDIOSET])]
    if split != "esc10":
        return [f"dataset.split={split}"]
    groups = [f"hierarchical2024_{part}*:hierarchy.groups={GROUPS}" for part in ("s", "model")]
    groups = groups if name.startswith("hierarchical2024") else []
    return [f'dataset={{name="esc", root="{esc10}", test_fold=4}}', *groups, *ON_ESC10_EPOCHS.get(name, ())]


def small_recipe(name: str, changes: Sequence[str], data: Path) -> Any:
    """A system's recipe with its small settings, its prepared clips beside the data."""
    from asc_tf.recipe import resolve

    recipe = resolve.load(name, changes, data=data, small=True)
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, prepared_folder=str(data / "prepared")))


def train(name: str, changes: Sequence[str], seed: int, data: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Trains a system and its student alone where their runs are not finished.

    Args:
        name: Recipe of the system.
        changes: Overrides that select its training and test clips.
        seed: Seed of the system.
        data: Folder of the data.
        folder: Folder of the two runs.

    Returns:
        {"system", "alone"}: the contents of their metrics.json.
    """
    recipe = small_recipe(name, [*changes, f"seed={seed}"], data)
    whole = finished(recipe, folder / "system")
    if not recipe.member:
        return {"system": whole, "alone": finished(alone(recipe), folder / "alone")}
    return {"system": whole, "alone": fused_alone(recipe, folder)}


def finished(recipe: Any, out: Path) -> dict[str, Any]:
    """The content of a run's metrics.json; the run is trained, or resumed, where it is not finished."""
    from asc_tf.chain.train import train as train_chain

    if not (out / "metrics.json").is_file():
        train_chain(recipe, out, resume=True)
    return json.loads((out / "metrics.json").read_text())


def alone(recipe: Any) -> Any:
    """A student's recipe without teachers, earlier stages and groups of classes."""
    quantise = recipe.quantise
    if quantise and quantise.distil_from == "teachers":
        quantise = dataclasses.replace(quantise, distil_from="float")
    return dataclasses.replace(recipe, init=None, teacher=(), distill=None, hierarchy=None, quantise=quantise)


def fused_alone(recipe: Any, out: Path) -> dict[str, Any]:
    """The report of a system's members, each trained alone, fused as the system fuses them."""
    from asc_tf.evaluation import evaluate
    from asc_tf.inference.run import TrainedRun
    from asc_tf.recipe import resolve
    from asc_tf.runs import folder

    paths = []
    for one in (one for recipes in resolve.members(recipe) for one in recipes):
        paths.append(out / f"alone-{one.name}-{one.seed}")
        finished(alone(one), paths[-1])
    if not (out / "alone/metrics.json").is_file():
        runs = [TrainedRun(folder.load(path)) for path in paths]
        evaluate.fuse(runs, recipe.fuse.method, out / "alone")
    return json.loads((out / "alone/metrics.json").read_text())


def accuracies(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Macro accuracy in percent, {"float", "int8", "seen", "unseen"}, of a run; None where it has none."""
    found = {}
    for name, (form, group) in GROUPS_OF_CLIPS.items():
        scores = metrics.get(form, {})
        scores = scores.get(group, {}) if group else scores
        found[name] = 100 * scores["macro_accuracy"] if "macro_accuracy" in scores else None
    return found


def row(name: str, split: str, runs: Sequence[Mapping[str, Mapping[str, float | None]]]) -> str:
    """A line of the table: means over the seeds, and their standard deviation where there are several."""
    cells = [name, split]
    for kind in ("alone", "system"):
        cells += [_spread([run[kind][one] for run in runs]) for one in GROUPS_OF_CLIPS]
    gains = [run["system"]["float"] - run["alone"]["float"] for run in runs]
    return f"| {' | '.join([*cells, _spread(gains, '+'), str(len(runs))])} |"


def _spread(values, sign=""):
    if None in values:
        return "-"
    std = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):{sign}.1f}{std}"


def report(rows: Sequence[str]) -> str:
    """The text of systems.md."""
    head = "system | split | alone, float | int8 | int8, seen | int8, unseen | system, float | int8 | int8, seen"
    head = f"| {head} | int8, unseen | gain, float | seeds |"
    table = "\n".join([head, "|---" * 12 + "|", *rows])
    return f"""# The published systems, small

Written by `python benchmarks/systems.py`: macro accuracy in %, with the settings of `small.toml`. split100 and split5
are trained on 2,400 made-up clips or 5 % of them, the latter with more epochs, and tested on 1,200; esc10 is trained on
the seconds of folds 1 to 3 of ESC-10, ait2023 with more epochs, and tested on those of fold 4. "alone" is the student
without teachers, earlier stages and groups of classes; of ait2023 its three students, fused. "seen" and "unseen" are
devices of the training. Figures on made-up scenes do not carry over to real ones.

{table}
"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--splits", nargs="+", default=SPLITS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--runs", type=Path, default=Path("runs/systems"))
    parser.add_argument("--data", type=Path, default=SHARED)
    options = parser.parse_args()
    data = made_up_data(options.runs.resolve() / "made_up")
    results = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    for split in options.splits:
        for name in [one for one in options.systems if split != "esc10" or one in ON_ESC10]:
            for seed in options.seeds:
                changes = overrides(name, split, options.data.resolve() / "esc10")
                runs = train(name, changes, seed, data, options.runs.resolve() / f"{name}-{split}-{seed}")
                of_seed = {kind: accuracies(metrics) for kind, metrics in runs.items()}
                results.setdefault(f"{name} {split}", {})[str(seed)] = of_seed
                RECORD.write_text(json.dumps(results, indent=1) + "\n")
                rows = [row(*key.split(), list(of_key.values())) for key, of_key in results.items()]
                PAGE.write_text(report(rows), encoding="utf-8")
                print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
