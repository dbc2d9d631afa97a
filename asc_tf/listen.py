"""`python -m asc_tf.listen RUN`: the scene at the microphone, window by window, until Ctrl-C."""

import argparse
import json
import sys

from asc_tf import command_line

BAR = 20  # characters


def main(arguments: list[str] | None = None, prog: str = "python -m asc_tf.listen") -> int:
    """Runs the program; returns its exit status."""
    parser = command_line.parser(prog, __doc__)
    parser.add_argument("run", help="a run folder, or its wave_to_scene.tflite, which needs no TensorFlow")
    parser.add_argument("--wav", metavar="FILE", help="an audio file in place of the microphone")
    parser.add_argument("--tflite", action="store_true", help="use the int8 TFLite file instead of the Keras network")
    parser.add_argument(
        "--hop_s",
        type=command_line.number(float, 0.01, 3600),
        metavar="SECONDS",
        help="seconds between the starts of windows; by default they follow each other",
    )
    parser.add_argument(
        "--smooth",
        type=command_line.number(int, 1, 10_000),
        default=1,
        metavar="N",
        help="name the scene of the mean of the last N windows",
    )
    parser.add_argument(
        "--threshold",
        type=command_line.number(float, 0, 1),
        default=0.0,
        metavar="P",
        help='name the scene "unknown" where no class has this probability',
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON a window")
    options = parser.parse_args(arguments)
    return command_line.run("listen", lambda: _listen(options), traceback=options.traceback)


def _listen(options: argparse.Namespace) -> None:
    from asc_tf.inference import live
    from asc_tf.inference import scorer as scorers

    scorer = scorers.load(options.run, tflite=options.tflite)
    blocks, rate_hz = _sound(options, scorer)
    scores = live.score_stream(scorer, blocks, rate_hz, hop_s=options.hop_s)
    for number, row in enumerate(live.smoothed(scores, options.smooth)):
        best = row.argmax()
        scene = scorer.labels[best] if row[best] >= options.threshold else "unknown"
        print(_line(options, scorer, number * scorer.spacing_s(options.hop_s), scene, row), flush=True)


def _sound(options, scorer):
    """The samples block by block, and their rate."""
    from asc_tf.data import audio
    from asc_tf.inference import live

    if options.wav is None:
        live.warm_up(scorer)
        return live.microphone(scorer.rates_hz[-1]), scorer.rates_hz[-1]
    recording = audio.Recording(options.wav)
    return recording.blocks(), recording.rate_hz


def _line(options, scorer, start_s, scene, row):
    if options.json:
        probabilities = dict(zip(scorer.labels, row.tolist(), strict=True))
        return json.dumps({"start_s": start_s, "scene": scene, "probabilities": probabilities})
    bar = "#" * round(BAR * row.max())
    return f"{start_s:10.2f} s  {scene:<20s} {bar:<{BAR}s} {100 * row.max():5.1f} %"


if __name__ == "__main__":
    sys.exit(main())
