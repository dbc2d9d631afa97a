"""Writes the synthetic scenes, in parallel, in the layout of TAU Urban Acoustic Scenes 2022 Mobile.

The bytes follow from the seed alone, whatever the number of workers: every location has a random generator.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from asc_tf.data.progress import progress_bar
from asc_tf.data.synthetic import devices, scenes
from asc_tf.data.synthetic.places import Location
from asc_tf.data.synthetic.synthesis import RATE_HZ
from asc_tf.data.synthetic.wav import write_wav
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
        samples = takes[device][second * RATE_HZ : (second + 1) * RATE_HZ]
        write_wav(audio / name, samples, rate_hz=RATE_HZ, sample_bytes=3)


def _write_tables(folder, locations):
    rows = [(location, f"audio/{name}", device) for location in locations for device, _, name in location.names()]
    meta = [(file, location.scene, location.identifier, device) for location, file, device in rows]
    parts = {split: [(file, at.scene) for at, file, _ in rows if at.split == split] for split in ("train", "test")}
    setup, header = folder / "evaluation_setup", ("filename", "scene_label")
    write_table(folder / "meta.csv", [(*header, "identifier", "source_label"), *meta])
    write_table(setup / "fold1_train.csv", [header, *parts["train"]])
    write_table(setup / "fold1_evaluate.csv", [header, *parts["test"]])
    write_table(setup / "fold1_test.csv", [row[:1] for row in (header, *parts["test"])])


def write_table(file: Path, rows: Iterable[Sequence[str]]) -> None:
    """Writes a table of TAU, tab separated, its header being the first row."""
    file.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
