"""Writes the synthetic scenes, in parallel, in the layout of TAU Urban Acoustic Scenes 2022 Mobile.

The bytes follow from the seed alone, whatever the number of workers: every location has a random generator.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import wave
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from asc_tf.data.synthetic import devices, scenes
from asc_tf.data.synthetic.places import Location
from asc_tf.data.synthetic.synthesis import RATE_HZ

_FEW_LOCATIONS = 24  # so few are written before workers would have started
_CITY, _LOCATION, _DEVICE = range(3)  # streams of random numbers


def write(folder: Path, locations: Sequence[Location], *, seed: int, workers: int) -> None:
    """Writes meta.csv, audio/ and evaluation_setup/ into an empty folder.

    Args:
        folder: An empty folder.
        locations: Of a plan.
        seed: Of all random numbers.
        workers: Processes.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    (folder / "audio").mkdir()
    (folder / "evaluation_setup").mkdir()
    jobs = [(folder / "audio", seed, location) for location in locations]
    interval = 0.1 if sys.stderr.isatty() else 30
    bar = tqdm(desc="making scenes", total=len(jobs), unit=" locations", ascii=True, mininterval=interval)
    with bar, _mapper(1 if len(jobs) <= _FEW_LOCATIONS else workers) as mapped:
        for _ in mapped(_record_location, jobs):
            bar.update()
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


@contextlib.contextmanager
def _mapper(workers):
    """A `map` over this many processes, which end with this one, however it ends."""
    if workers == 1:
        yield map
        return
    # Spawned: forking a process in which TensorFlow's threads run can hang.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _end_with_parent)
    # A terminal sends Ctrl-C to the workers too; blocked while they start, it reaches this process alone.
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def parallel_map(function, jobs):
        try:
            return pool.map(function, jobs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)

    try:
        yield parallel_map
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent():
    """Ends this worker when its parent process has ended."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
