"""Writes the synthetic scenes, in parallel, in the layout of TAU Urban Acoustic Scenes 2022 Mobile.

The bytes follow from the seed alone, whatever the number of workers: every location has a random generator.
"""

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asc_tf.data.progress import progress_bar
from asc_tf.data.synthetic import devices, scenes
from asc_tf.data.synthetic.places import Location
from asc_tf.data.synthetic.synthesis import RATE_HZ
from asc_tf.data.worker_pool import run_jobs

_FEW_LOCATIONS = 24  # so few are written before workers would have started
_CITY, _LOCATION, _DEVICE = range(3)  # streams of random numbers


def write(folder: Path, locations: Sequence[Location], *, seed: int, workers: int) -> None:
    """Writes meta.csv, audio/ and evaluation_setup/ into an empty folder.

    Args:
        folder: an empty folder.
        locations: of a plan.
        seed: of all random numbers.
        workers: processes.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    (folder / "audio").mkdir()
    (folder / "evaluation_setup").mkdir()
    jobs = [(folder / "audio", seed, location) for location in locations]
    workers = 1 if len(jobs) <= _FEW_LOCATIONS else workers
    with progress_bar("making scenes", total=len(jobs), unit=" locations") as bar:
        run_jobs(_record_location, jobs, workers=workers, name="dataset made_up", on_done=lambda _: bar.update())
    _write_tables(folder, locations)


def _record_location(job):
    audio, seed, location = job
    city = scenes.city(np.random.default_rng([seed, _CITY, *location.city.encode()]))
    sound = scenes.sound(location.scene, city, np.random.default_rng([seed, _LOCATION, location.number]))
    takes = {
        device: devices.record(sound, device, np.random.default_rng([seed, _DEVICE, location.number, *device.encode()]))
        for device, _ in location.takes
    }
    for device, second, name in location.names():
        _write_wav(audio / name, takes[device][second * RATE_HZ : (second + 1) * RATE_HZ])


def _write_wav(file, samples):
    """Writes 24-bit PCM by plain file writes, so that a full disk is an OSError."""
    whole = np.rint(samples * 2**23).astype("<i4")
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 3, RATE_HZ, len(samples), "NONE", ""))
        out.writeframes(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())


def _write_tables(folder, locations):
    rows = [(location, f"audio/{name}", device) for location in locations for device, _, name in location.names()]
    meta = [(file, location.scene, location.identifier, device) for location, file, device in rows]
    parts = {split: [(file, at.scene) for at, file, _ in rows if at.split == split] for split in ("train", "test")}
    setup, header = folder / "evaluation_setup", ("filename", "scene_label")
    _write_table(folder / "meta.csv", [(*header, "identifier", "source_label"), *meta])
    _write_table(setup / "fold1_train.csv", [header, *parts["train"]])
    _write_table(setup / "fold1_evaluate.csv", [header, *parts["test"]])
    _write_table(setup / "fold1_test.csv", [row[:1] for row in (header, *parts["test"])])


def _write_table(file, rows):
    file.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
