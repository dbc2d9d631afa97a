"""Estimates of rehearsals beside the times of the real small runs, stage by stage, in one table.

Run:     python benchmarks/rehearsal.py [--systems jku2024_s1 ...] [--split split100] [--seed 1] [--runs runs/systems]
                                        [--data ../shared/data]
Output:  benchmarks/rehearsal.md: seconds of every stage of the five systems with the settings of small.toml, estimated
         and real, and their ratio. Rows of former commands stay in the table.
Needs:   the runs of `python benchmarks/systems.py` of that split and seed in the same folder, and a machine that does
         nothing else in either: times of a busy machine say nothing.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from distillation import SHARED
from systems import SPLITS, SYSTEMS, made_up_data, overrides, small_recipe

PAGE = Path(__file__).with_suffix(".md")


def measure(name: str, split: str, seed: int, data: Path, esc10: Path, runs: Path) -> list[list]:
    """Rehearses a system whose real small run is finished.

    Args:
        name: Recipe of the system.
        split: "esc10" or a split of TAU.
        seed: Seed of the system.
        data: Folder of the made-up data.
        esc10: Folder of ESC-10.
        runs: Folder of the runs of benchmarks/systems.py.

    Returns:
        [title, stage, estimated seconds, real seconds] of every stage.
    """
    from asc_tf.chain.rehearse import rehearse
    from asc_tf.chain.stages import in_order, stages
    from asc_tf.runs import times

    recipe = small_recipe(name, [*overrides(name, split, esc10), f"seed={seed}"], data)
    real = stages(recipe, runs / f"{name}-{split}-{seed}/system")
    with tempfile.TemporaryDirectory() as scratch:
        estimated = {one.stage.path.name: one.seconds for one in rehearse(recipe, Path(scratch) / "runs/system")}
    return [
        [
            stage.title,
            stage.path.name,
            estimated[stage.path.name],
            sum(p["seconds"] for p in times.read(stage.run).values()),
        ]
        for stage in in_order(real)
        if stage.path.name in estimated
    ]


def report(results: dict[str, Sequence[Sequence]]) -> str:
    """The text of rehearsal.md.

    Args:
        results: Of `measure`, by "system split".
    """
    lines = [
        f"| {' | '.join(key.split())} | {title} {stage} | {estimated:.0f} | {real:.0f} | {estimated / real:.2f} |"
        for key, stages in results.items()
        for title, stage, estimated, real in stages
    ]
    table = "\n".join(["| system | split | stage | estimated, s | real, s | ratio |", "|---" * 6 + "|", *lines])
    return f"""# Rehearsals beside real runs

Written by `python benchmarks/rehearsal.py`: seconds of every stage with the settings of `small.toml`, as `--rehearse`
estimated them and as the real run took them, on the clips of benchmarks/systems.md.

{table}
"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--split", choices=SPLITS, default="split100")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/systems"))
    parser.add_argument("--data", type=Path, default=SHARED)
    options = parser.parse_args()
    runs, esc10 = options.runs.resolve(), options.data.resolve() / "esc10"
    data, known = made_up_data(runs / "made_up"), runs / "rehearsal.json"
    results = json.loads(known.read_text()) if known.is_file() else {}
    for name in options.systems:
        results[f"{name} {options.split}"] = measure(name, options.split, options.seed, data, esc10, runs)
        known.write_text(json.dumps(results))
        PAGE.write_text(report(results), encoding="utf-8")


if __name__ == "__main__":
    main()
