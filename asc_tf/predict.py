"""`python -m asc_tf.predict RUN FILE ...`: the scene of audio files, second by second and as a whole."""

import argparse
import functools
import json
import sys
from pathlib import Path

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.predict") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", help="a run folder, or its wave_to_scene.tflite, which needs no TensorFlow")
    parser.add_argument("files", nargs="+", help="audio files of any rate, length and channel count")
    parser.add_argument("--tflite", action="store_true", help="use the int8 TFLite file instead of the Keras network")
    parser.add_argument("--json", action="store_true", help="print JSON: per file its labels, mean and seconds")
    options = parser.parse_args(arguments)
    return command_line.run("predict", lambda: _predict(options), traceback=options.traceback)


def _predict(options: argparse.Namespace) -> None:
    from asc_tf.errors import UserError
    from asc_tf.evaluation import predict, tables

    labels, score = _load(options)
    predictions, errors = predict.predict(score, options.files)
    if options.json:
        print(json.dumps(tables.predictions_tree(predictions, labels), indent=2))
    else:
        print("\n\n".join(tables.prediction(Path(file).name, p, labels) for file, p in predictions.items()))
    if errors:
        raise UserError(f"{len(errors)} file(s) could not be read: {'; '.join(map(str, errors))}")


def _load(options):
    """Names of the classes, and a function from an audio file to the probabilities (segments, classes)."""
    if options.run.endswith(".tflite"):
        from asc_tf.inference.wave_file import WaveFile

        file = WaveFile(options.run)
        return file.labels, file.predict
    from asc_tf.inference.system import load_run

    run, form = load_run(options.run), "tflite" if options.tflite else "float"
    run.form(form)  # what is wrong with the run is no error of a file
    return run.labels, functools.partial(run.predict, form=form)


if __name__ == "__main__":
    sys.exit(main())
