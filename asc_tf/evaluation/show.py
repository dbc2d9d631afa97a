"""`python -m asc_tf.show`: what do the front ends make of a sound, and what does a recipe make of its data?

features FILE --out PNG      the mel, gammatone and constant-Q spectrograms of a sound side by side, in the
                             settings of the ait2023 system: 44.1 kHz, 128 bands, a hop of 326 samples
data RECIPE [--out PNG]      clips of each class, device and city in each split; with --out, a clip of every
                             class as it is and as the network sees it in three steps of training
"""

import argparse
import sys
from pathlib import Path

from asc_tf import command_line
from asc_tf.errors import UserError

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
STEPS = 3  # of training, on a sheet


def panels(wave):
    """[(name, (bands, frames) dB, (bands,) Hz, (frames,) seconds)] of (samples,) at RATE_HZ.

    Raises UserError where the wave is too short for a front end.
    """
    from asc_tf.features import axes
    from asc_tf.recipe import registry

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
    from asc_tf.evaluation import spectrograms

    samples, rate_hz = audio.read(file)
    wave = audio.resample(samples[round(start_s * rate_hz) :][: round(seconds * rate_hz)], rate_hz, RATE_HZ)
    if not len(wave):
        raise UserError(f"{file}: has {len(samples) / rate_hz:.2f} s; --start-s {start_s:g} is behind its end.")
    drawn = panels(wave)
    _write(out, lambda: spectrograms.draw(drawn, out, title=Path(file).name))


def data(name_or_file, overrides, out):
    """Prints the counts of a recipe's clips; draws the sheet into the PNG `out` unless it is None."""
    from asc_tf import dataset
    from asc_tf.evaluation import spectrograms, tables
    from asc_tf.recipe import resolve as recipes
    from asc_tf.training import dry_run as fitting

    recipe = recipes.load(name_or_file, overrides)
    listing = dataset.listing(recipe)
    print(tables.counts(listing))
    if out:
        fitting.check(recipe)
        _write(out, lambda: spectrograms.sheet(sheet(recipe, dataset.load(recipe)), out, title=recipe.name))


def sheet(recipe, data):
    """[(clip's name, its (bands,) Hz, [(title, (bands, frames))])] of a training clip of every class.

    The spectrograms are those before [normalise], which changes their scale and offset alone; of front ends with
    deltas the first channel.  Raises UserError for multi-label data.
    """
    import numpy as np
    import tensorflow as tf

    from asc_tf import build, dataset
    from asc_tf.data import batches
    from asc_tf.features import axes

    if dataset.multi_label(recipe):
        raise UserError(f"{recipe.file}: --out draws a clip of every class, but clips have several here; leave it out.")
    rng, labels = np.random.default_rng(recipe.seed), data.labels(data.train)
    rows = np.array([rng.choice(data.train[labels == label]) for label in np.unique(labels)])
    batch = next(iter(batches.evaluation(build.source(recipe, data, rows), len(rows))))
    shown = {"as it is": build.front_end(recipe)(batch["wave"])}
    augmented = tf.function(lambda step: build.augmented(recipe, dict(batch), step)["mel"], autograph=False)
    shown |= {f"in training, draw {step + 1}": augmented(tf.constant(step)) for step in range(STEPS)}
    hz = axes.bands_hz(recipe.feature.name, recipe.feature.settings)
    names = [f"{label}: {name}" for label, name in zip(data.column("label", rows), data.names(rows), strict=True)]
    return [
        (name, hz, [(title, mel[place, ..., 0].numpy()) for title, mel in shown.items()])
        for place, name in enumerate(names)
    ]


def _write(out, draw):
    """Calls `draw`; a UserError where the picture cannot be written."""
    try:
        draw()
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}).") from error
