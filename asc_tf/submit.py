"""`python -m asc_tf.submit RUN ...`: writes an entry of a package for the DCASE challenge, Task 1, and checks it.

`asc-tf submit RUN ... --label Last_Inst_task1_1 --eval-set FOLDER` computes the outputs on the evaluation set, by the
int8 file where a run has one, and fills the meta information from metrics.json and TEAM.toml, a template of which is
written where it is absent. 2024 has a run for each split of the training set, 2025 one run and the inference module, a
Python package that runs it by the challenge's functions. Outputs that are there already are kept, so that the same
command goes on after an interruption.
`asc-tf submit --check FOLDER` checks any package: each defect is printed with file, line and fix. Inference modules are
imported and run. Exit status 0 of a right package, 1 of one with defects.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.submit") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", nargs="*", help="evaluated run folders")
    parser.add_argument("--check", metavar="FOLDER", help="a package that is checked; no run is named then")
    parser.add_argument("--year", type=int, choices=(2024, 2025), default=2025, help="of the challenge")
    parser.add_argument("--label", help="of the entry: LASTNAME_INSTITUTE_task1_NUMBER")
    parser.add_argument("--team", metavar="FILE", default="team.toml", help="authors and texts (default: team.toml)")
    parser.add_argument(
        "--eval-set",
        metavar="FOLDER",
        help="of the evaluation set, with evaluation_setup/fold1_test.csv; without it --check takes the official names",
    )
    parser.add_argument("--out", metavar="FOLDER", default="submission", help="of the package (default: submission)")
    options = parser.parse_args(arguments)
    if bool(options.run) == bool(options.check):
        parser.error("name run folders, or --check FOLDER")
    if options.run and not (options.label and options.eval_set):
        parser.error("runs need --label and --eval-set")
    return command_line.run("submit", lambda: _submit(options), traceback=options.traceback)


def _submit(options: argparse.Namespace) -> int:
    from asc_tf.errors import printable
    from asc_tf.submission import check

    if options.check:
        names = check.evaluation_names(options.eval_set, options.year)
        found, folder = check.defects(options.check, options.year, names), options.check
    else:
        found, folder = _write(options), options.out
    print("\n".join(map(printable, found)) or f"{folder}: no defect was found.")
    return command_line.FAULTS if found else command_line.OK


def _write(options: argparse.Namespace) -> list[str]:
    import functools
    from pathlib import Path

    from asc_tf.export.device import tflite_files, wave
    from asc_tf.inference.system import load_run
    from asc_tf.submission import inference_module, package

    inference = functools.partial(
        inference_module.write,
        label=options.label,
        out=Path(options.out),
        wave_file=wave.convert,
        script=tflite_files.LITERT_SCRIPT,
    )
    return package.write(
        [load_run(run) for run in options.run],
        year=options.year,
        label=options.label,
        team=options.team,
        evaluation_set=options.eval_set,
        out=options.out,
        inference=inference,
    )


if __name__ == "__main__":
    sys.exit(main())
