"""`python -m asc_tf.export.tflite RUN`: make the int8 TFLite file of a trained or imported run.

Makes it anew where there is one: by the run's own [quantise], or by another recipe's on other clips; beside it
wave_to_scene.tflite, which takes the waveform.  Of a run with networks of single devices a file is made for each of
them, and export/devices.json, the table of them.  Exit status 0 where the network is within the limits of the DCASE
challenge, 1 where the files are made but the network is over the limits, 2 where they could not be made.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.export.tflite") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", help="a trained or imported run folder")
    parser.add_argument("--out", metavar="NEW", help="leave the run alone: copy it to this folder first")
    parser.add_argument("--on", metavar="RECIPE", help="take clips, augmentation and [quantise] from this recipe")
    parser.add_argument("--float16", action="store_true", help="model_float16.tflite instead: no clips, half the size")
    command_line.add_overrides(parser)
    options = parser.parse_args(arguments)
    return command_line.run("export tflite", lambda: _export(options), traceback=options.traceback)


def _export(options: argparse.Namespace) -> int:
    from asc_tf.export.device import tflite_files
    from asc_tf.export.quantisation.run import write_float16
    from asc_tf.inference.run import TrainedRun
    from asc_tf.recipe import resolve
    from asc_tf.runs import device_runs, folder

    run = folder.load(options.run)
    if options.out:
        new = folder.copy(run, options.out)
        device_runs.copy(run, new)
        run = new
    run = TrainedRun(run)
    if options.float16:
        for one in (run, *map(TrainedRun, device_runs.load(run.folder).values())):
            write_float16(one)
        return command_line.OK
    recipe = resolve.load_single(options.on or run.path / "recipe.toml", **command_line.recipe_options(options))
    return command_line.FAULTS if tflite_files.write_all_int8(run, recipe) else command_line.OK


if __name__ == "__main__":
    sys.exit(main())
