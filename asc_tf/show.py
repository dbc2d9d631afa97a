"""`python -m asc_tf.show features FILE.wav --out PNG`: what do the front ends make of a sound?

Draws its mel, gammatone and constant-Q spectrograms side by side, in the settings of the ait2023 system:
44.1 kHz, 128 bands, a hop of 326 samples.
"""

import argparse
import sys
from pathlib import Path

from asc_tf import command_line

RATE_HZ = 44100
FRAMED = {"sample_rate_hz": RATE_HZ, "window_samples": 2048, "hop_samples": 326, "bands": 128}
SETTINGS = {
    "log_mel": FRAMED | {"flavour": "slaney", "fft_samples": 4096, "min_hz": 0.0, "max_hz": 22050.0},
    "gammatone": FRAMED | {"method": "fft", "scale": "db", "min_hz": 50.0, "max_hz": 22050.0},
    "cqt": {
        "sample_rate_hz": RATE_HZ, "hop_samples": 326, "bands": 128, "bins_per_octave": 16, "min_hz": 65.4064,
        "scale": "db",
    },
}  # fmt: skip


def panels(wave):
    """[(name, (bands, frames) dB, (bands,) Hz, (frames,) seconds)] of (samples,) at RATE_HZ.

    Raises UserError where the wave is too short for a front end.
    """
    from asc_tf import registry
    from asc_tf.features import axes

    found = []
    for name, settings in SETTINGS.items():
        layer = registry.entry("feature", name)(**settings)
        layer.compute_output_shape((1, len(wave)))  # a wave too short is told here in one line, by a call in six
        level = layer(wave[None])[0, ..., 0].numpy()
        found.append((name, level, axes.bands_hz(name, settings), axes.frames_s(name, settings, level.shape[1])))
    return found


def features(file, out, *, start_s, seconds):
    """Draws the spectrograms of `seconds` of an audio file from `start_s` into the PNG `out`."""
    from asc_tf.data import audio
    from asc_tf.errors import UserError
    from asc_tf.report import spectrograms

    samples, rate_hz = audio.read(file)
    wave = audio.resample(samples[round(start_s * rate_hz) :][: round(seconds * rate_hz)], rate_hz, RATE_HZ)
    if not len(wave):
        raise UserError(f"{file}: has {len(samples) / rate_hz:.2f} s; --start-s {start_s:g} is behind its end.")
    try:
        spectrograms.draw(panels(wave), out, title=Path(file).name)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}).") from error


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m asc_tf.show", description=__doc__.split("\n", 1)[1])
    parser.add_argument("what", choices=["features"])
    parser.add_argument("file", help="an audio file of any rate and channel count")
    parser.add_argument("--out", required=True, metavar="PNG", help="where the picture goes")
    parser.add_argument("--start-s", type=float, default=0.0, help="where in the file to begin")
    parser.add_argument("--seconds", type=float, default=10.0, help="how much to show, at most")
    options = parser.parse_args(arguments)

    def action():
        features(options.file, options.out, start_s=max(0.0, options.start_s), seconds=options.seconds)

    return command_line.start("show", action)


if __name__ == "__main__":
    sys.exit(main())
