"""`python -m asc_tf.export.micro RUN --out FOLDER`: write the C and C++ sources that a microcontroller needs.

    RUN_model.h, .cc       the int8 file's bytes, aligned; labels; scale and zero point of input and output
    asc_tf_features.h, .c  the front end in plain C, with the run's asc_tf_settings.h and asc_tf_tables.h
    asc_tf_stream.h, .c    decisions window by window on samples fed in parts of any size
    main.cc                how they are called with TensorFlow Lite Micro, whose operations are checked first
Nothing is written where an operation has no kernel there.
"""

import argparse
import sys

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.export.micro") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", help="a run folder with export/model.tflite")
    parser.add_argument("--out", required=True, help="the folder for the source files")
    options = parser.parse_args(arguments)
    return command_line.run("micro", lambda: _export(options), traceback=options.traceback)


def _export(options: argparse.Namespace) -> None:
    from asc_tf.export.device import micro_sources
    from asc_tf.runs import folder

    print(micro_sources.export(folder.load(options.run), options.out))


if __name__ == "__main__":
    sys.exit(main())
