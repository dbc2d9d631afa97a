"""`python -m asc_tf.export.parity RUN`: compare the decisions and costs of all forms of a run.

On the test split: the float Keras network, the quantised one, the TFLite files, the one that takes the waveform, and
the C front end before the int8 network, where the run has them and gcc is installed. Prints the table and writes
export/parity.json, .txt and .png: accuracy also by class and device, agreement, log loss, the error of every layer
of the int8 file, size, latency on one and two threads, memory.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.export.parity") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", help="a trained run folder; with the files of export tflite and export micro, if any")
    command_line.add_data_change(parser)
    options = parser.parse_args(arguments)
    return command_line.run("export parity", lambda: _compare(options), traceback=options.traceback)


def _compare(options: argparse.Namespace) -> None:
    from asc_tf import dataset
    from asc_tf.data import lock
    from asc_tf.export.device import comparison
    from asc_tf.export.quantisation.run import quantised_run
    from asc_tf.inference.run import TrainedRun
    from asc_tf.runs import folder, layout

    run = quantised_run(TrainedRun(folder.load(options.run)))
    lock.remove_unfinished(run.path)
    comparison.load_forms(run)  # damaged files are found before the data are loaded
    if run.folder.has(layout.QUANTISE_RECIPE):
        data = dataset.load(run.recipe)
    else:
        data = dataset.load_checked(run.folder, accept_data_change=options.accept_data_change)
    comparison.write_report(run, data)


if __name__ == "__main__":
    sys.exit(main())
