"""Estimates of rehearsals beside the times of the real small runs, stage by stage, in one table.

Run:     python benchmarks/rehearsal.py [--systems jku2024_s1 ...] [--seed 1] [--runs runs/systems]
Output:  benchmarks/rehearsal.md: seconds of every stage of the five systems with the settings of small.toml, estimated
         and real, and their ratio.
Needs:   the runs of `python benchmarks/systems.py --splits split100` of that seed in the same folder, and a machine
         that does nothing else in either: times of a busy machine say nothing.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from systems import SYSTEMS, made_up_data, overrides, small_recipe

PAGE = Path(__file__).with_suffix(".md")
SPLIT = "split100"


def measure(name: str, seed: int, data: Path, runs: Path) -> list[list]:
    """Rehearses a system whose real small run is finished.

    Args:
        name: Recipe of the system.
        seed: Seed of the system.
        data: Folder of the data.
        runs: Folder of the runs of benchmarks/systems.py.

    Returns:
        [title, stage, estimated seconds, real seconds] of every stage.
    """
    from asc_tf.chain.rehearse import rehearse
    from asc_tf.chain.stages import in_order, stages
    from asc_tf.runs import times

    recipe = small_recipe(name, [*overrides(name, SPLIT, data), f"seed={seed}"], data)
    real = stages(recipe, runs / f"{name}-{SPLIT}-{seed}/system")
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
        results: Of `measure`, by the name of the system.
    """
    lines = [
        f"| {system} | {title} {stage} | {estimated:.0f} | {real:.0f} | {estimated / real:.2f} |"
        for system, stages in results.items()
        for title, stage, estimated, real in stages
    ]
    table = "\n".join(["| system | stage | estimated, s | real, s | ratio |", "|---|---|---|---|---|", *lines])
    return f"""# Rehearsals beside real runs

Written by `python benchmarks/rehearsal.py`: seconds of every stage with the settings of `small.toml` on made-up
scenes, as `--rehearse` estimated them and as the real run took them. What else the machine did meanwhile is not known
to this program: see docs/systems.md.

{table}
"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/systems"))
    options = parser.parse_args()
    runs = options.runs.resolve()
    data, known = made_up_data(runs / "made_up"), runs / "rehearsal.json"
    results = json.loads(known.read_text()) if known.is_file() else {}
    for name in options.systems:
        results[name] = measure(name, options.seed, data, runs)
        known.write_text(json.dumps(results))
        PAGE.write_text(report(results), encoding="utf-8")


if __name__ == "__main__":
    main()
