"""`python -m asc_tf.evaluate RUN`: scores and costs of a trained run on its test split.

Prints the table and writes metrics.json and, where a clip has one class, a confusion matrix for every network of the
run: the float Keras network and, where it was exported, the int8 TFLite file. Several runs that were tested on the
same clips are evaluated as one with --fuse: the mean or the product of their probabilities.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.evaluate") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", nargs="+", help="a run folder; several with --fuse")
    parser.add_argument("--fuse", choices=["prod", "mean"], help="how the runs' probabilities become one")
    parser.add_argument("--out", help="the folder for the report of several runs")
    command_line.add_data_change(parser)
    options = parser.parse_args(arguments)
    return command_line.run("evaluate", lambda: _evaluate(options), traceback=options.traceback)


def _evaluate(options: argparse.Namespace) -> None:
    from asc_tf.evaluation import evaluate
    from asc_tf.inference.run import TrainedRun
    from asc_tf.inference.system import load_run
    from asc_tf.runs import folder

    if len(options.run) == 1 and not (options.fuse or options.out):
        evaluate.evaluate(load_run(options.run[0]), accept_data_change=options.accept_data_change)
        return
    evaluate.check_fusion(options.run, options.fuse, options.out)
    runs = [TrainedRun(folder.load(run)) for run in options.run]
    evaluate.fuse(runs, options.fuse, options.out, accept_data_change=options.accept_data_change)


if __name__ == "__main__":
    sys.exit(main())
