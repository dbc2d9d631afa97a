"""Pictures of front ends and of training data."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from asc_tf import build, dataset
from asc_tf.data import audio, batches
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.evaluation import spectrograms, tables
from asc_tf.features import axes
from asc_tf.recipe import registry
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import atomic
from asc_tf.runs.folder import RunFolder
from asc_tf.training import dry_run

# Settings of the ait2023 system: 44.1 kHz, 128 bands, a hop of 326 samples.
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
STEPS = 3  # augmented pictures of each clip on a sheet
CLIPS = 8  # of the first step on its sheet


def panels(wave: np.ndarray) -> list[spectrograms.Panel]:
    """Spectrograms of a sound by all front ends.

    Args:
        wave: (samples,) float32 at RATE_HZ.

    Raises:
        UserError: The wave is too short for a front end.
    """
    panels = []
    for name, settings in SETTINGS.items():
        layer = registry.entry("feature", name)(**settings)
        layer.compute_output_shape((1, len(wave)))  # raises the UserError of a short wave; a call adds lines to it
        level = layer(wave[None])[0, ..., 0].numpy()
        hz, seconds = axes.bands_hz(name, settings), axes.frames_s(name, settings, level.shape[1])
        panels.append(spectrograms.Panel(name, level, hz, seconds))
    return panels


def features(file: str | Path, out: str | Path, *, start_s: float, seconds: float) -> None:
    """Draws the spectrograms of a part of an audio file by all front ends.

    Args:
        file: The audio file.
        out: PNG to write.
        start_s: Start of the part.
        seconds: Its length, at most.

    Raises:
        UserError: The file cannot be read, is shorter than start_s, or the picture cannot be written.
    """
    drawn = panels(_part(file, start_s, seconds))
    _write(out, spectrograms.draw(drawn, title=Path(file).name))


def _part(file, start_s, seconds):
    """Samples of a part of a file at RATE_HZ."""
    with audio.Recording(file) as recording:
        start, position, blocks = round(start_s * recording.rate_hz), 0, []
        stop = start + round(seconds * recording.rate_hz)
        for block in recording.blocks():
            blocks.append(block[max(0, start - position) : max(0, stop - position)])
            position += len(block)
            if position >= stop:
                break
    samples = np.concatenate(blocks)
    if not len(samples):
        length_s = position / recording.rate_hz
        raise UserError(f"{file}: has {length_s:.2f} s; --start-s {start_s:g} is behind its end.")
    return audio.resample(samples, recording.rate_hz, RATE_HZ)


def data(recipe: Recipe, out: str | Path | None) -> None:
    """Prints the counts of a recipe's clips and draws its training data.

    Args:
        recipe: The recipe.
        out: PNG of the sheet to write, or None.

    Raises:
        UserError: Anything is wrong with the recipe or its dataset, or the picture cannot be written.
    """
    listing = dataset.listing(recipe)
    print(f"{tables.counts(listing)}\n\n{listing.summary}")
    if out:
        dry_run.check(recipe)
        _write(out, spectrograms.sheet(sheet(recipe, dataset.load(recipe)), title=recipe.name))


def sheet(recipe: Recipe, data: LoadedDataset) -> list[spectrograms.SheetRow]:
    """Spectrograms of a training clip of every class, unchanged and augmented.

    They are those before [normalise], which changes their scale and offset alone; of front ends with
    deltas the first channel.

    Args:
        recipe: The recipe.
        data: Its dataset.

    Raises:
        UserError: The dataset is multi-label.
    """
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
        spectrograms.SheetRow(name, hz, [(title, mel[index, ..., 0].numpy()) for title, mel in shown.items()])
        for index, name in enumerate(names)
    ]


def first_step(run: RunFolder, source: batches.Source, classes: Sequence[str]) -> list[spectrograms.SheetRow]:
    """Inputs of the network in the first step of training, each beside that of the same clip when it is evaluated.

    They are those of one process; of front ends with deltas the first channel.

    Args:
        run: The run, whose normalisation is known.
        source: Its training segments.
        classes: Names of the classes.
    """
    recipe, to_input = run.recipe, build.network_input(run)
    given, _ = next(iter(build.training_batches(run, source, first_step=0, last_step=1)))
    clips = batches.training(source, batch_size=len(given), seed=recipe.seed, first_step=0, last_step=1)
    clips = next(iter(clips.map(lambda chunk, _: chunk).rebatch(CLIPS)))
    hz, plain = axes.bands_hz(recipe.feature.name, recipe.feature.settings), to_input(clips["wave"]).numpy()
    names = [", ".join(classes[index] for index in np.flatnonzero(label)) for label in clips["label"].numpy()]
    return [
        spectrograms.SheetRow(name, hz, [("not augmented", clean[..., 0]), ("first step", augmented[..., 0])])
        for name, clean, augmented in zip(names, plain, given.numpy(), strict=False)
    ]


def _write(out: str | Path, content: bytes) -> None:
    """Writes a picture.  Raises UserError where it cannot be written."""
    try:
        atomic.write(Path(out), content)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}).") from error
