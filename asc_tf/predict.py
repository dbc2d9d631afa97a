"""`python -m asc_tf.predict RUN FILE ...`: the scene of audio files, window by window and as a whole."""

import argparse
import contextlib
import sys
from collections import Counter

from asc_tf import command_line


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.predict") -> int:
    """Runs the program; returns its exit status, 1 where a file cannot be read."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", help="a run folder, or its wave_to_scene.tflite, which needs no TensorFlow")
    parser.add_argument(
        "files",
        nargs="+",
        help="audio files of any rate, length and channel count; folders; patterns in quotes, such as 'a/**/*.wav'",
    )
    parser.add_argument("--tflite", action="store_true", help="use the int8 TFLite file instead of the Keras network")
    parser.add_argument(
        "--device", metavar="NAME", help="recording device of the files: its network where the run has one of its own"
    )
    parser.add_argument("--json", action="store_true", help="print JSON: per file its labels, mean, times and windows")
    parser.add_argument(
        "--csv", metavar="FILE", help="write a table: file, start_s, end_s, scene, probabilities; - prints it instead"
    )
    parser.add_argument(
        "--embeddings", metavar="FILE.npz", help="write the embeddings of all windows, which the float network has"
    )
    parser.add_argument(
        "--hop_s",
        type=command_line.number(float, 0.01, 3600),
        metavar="SECONDS",
        help="seconds between the starts of windows; by default they follow each other",
    )
    parser.add_argument("--progress", action="store_true", help="show a bar of the files on stderr")
    options = parser.parse_args(arguments)
    if options.json and options.csv == "-":
        parser.error("--json and --csv - both print; write the table to a file")
    return command_line.run("predict", lambda: _predict(options), traceback=options.traceback)


def _predict(options: argparse.Namespace) -> int:
    from asc_tf.data import sound_files
    from asc_tf.inference import scorer as scorers
    from asc_tf.inference import sounds

    files, notes, failed = sound_files.find(options.files), Counter(), 0
    # What is wrong with the run is no error of a file.
    scorer = scorers.load(
        options.run, tflite=options.tflite, embeddings=options.embeddings is not None, device=options.device
    )
    _print_error(files.summary)
    with contextlib.ExitStack() as stack:
        outputs, taken = _outputs(options, scorer, stack)
        move = stack.enter_context(_progress(options, len(files.files)))
        for prediction in sounds.by_file(taken(sounds.score_files(scorer, files, hop_s=options.hop_s))):
            move()
            if prediction.error:
                failed += 1
                _print_error(str(prediction.error))
                continue
            notes.update(prediction.notes)
            for write in outputs:
                write(prediction)
    for note, count in notes.items():
        _print_error(f"{count:,} file(s): {note}")
    if failed:
        _print_error(f"{failed:,} of {len(files.files):,} file(s) could not be read")
    return command_line.FAULTS if failed else command_line.OK


def _outputs(options, scorer, stack):
    """Functions that write a file's prediction, and one that takes the embeddings out of its parts."""
    from asc_tf.evaluation import prediction_files, prediction_text

    printed, outputs, taken = prediction_text.as_text(sys.stdout, scorer.labels), [], iter
    if options.json:
        printed = prediction_text.as_json(sys.stdout, scorer.labels)
    if options.csv == "-":
        printed = prediction_text.as_csv(sys.stdout, scorer.labels, scorer.segment_s)
    elif options.csv is not None:
        outputs.append(stack.enter_context(prediction_files.csv_file(options.csv, scorer.labels, scorer.segment_s)))
    if options.embeddings is not None:
        taken = stack.enter_context(prediction_files.embeddings_file(options.embeddings, scorer.labels))
    return [*outputs, stack.enter_context(printed)], taken


@contextlib.contextmanager
def _progress(options, files):
    """Context with a function to be called before each file's output, which moves the bar."""
    if not options.progress:
        yield lambda: None
        return
    from asc_tf.data.progress import progress_bar

    with progress_bar("predict", total=files, unit=" files") as bar:

        def move():
            bar.update(1)
            if sys.stdout.isatty() and sys.stderr.isatty():
                bar.clear()  # the output would be printed behind it

        yield move


def _print_error(text):
    from asc_tf.errors import printable

    if text:
        print(f"predict: {printable(text)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
