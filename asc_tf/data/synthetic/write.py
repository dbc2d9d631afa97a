"""How are the made-up scenes written, in parallel, in the layout of TAU Urban Acoustic Scenes 2022 Mobile?

The bytes follow from the seed alone, whatever the number of workers: every place has its own random numbers.
"""

import wave

import numpy as np

from asc_tf.data.progress import progress_bar
from asc_tf.data.synthetic import devices as _devices
from asc_tf.data.synthetic import scenes as _scenes
from asc_tf.data.synthetic.synthesis import RATE_HZ
from asc_tf.data.worker_pool import run_jobs

_FEW_LOCATIONS = 24  # so few are made before the workers would have started
_CITY, _PLACE, _DEVICE = range(3)  # what random numbers are for


def write(folder, places, *, seed, workers):
    """Writes meta.csv, audio/ and evaluation_setup/ into an empty folder."""
    (folder / "audio").mkdir()
    (folder / "evaluation_setup").mkdir()
    jobs = [(folder / "audio", seed, place) for place in places]
    workers = 1 if len(jobs) <= _FEW_LOCATIONS else workers
    with progress_bar("making scenes", total=len(jobs), unit=" places") as bar:
        run_jobs(_record_location, jobs, workers=workers, name="dataset made_up", on_done=lambda _: bar.update())
    _write_tables(folder, places)


def _record_location(job):
    audio, seed, place = job
    city = _scenes.city(np.random.default_rng([seed, _CITY, *place.city.encode()]))
    heard = _scenes.sound(place.scene, city, np.random.default_rng([seed, _PLACE, place.number]))
    takes = {
        device: _devices.record(heard, device, np.random.default_rng([seed, _DEVICE, place.number, *device.encode()]))
        for device, _ in place.takes
    }
    for device, second, name in place.names():
        _write_wav(audio / name, takes[device][second * RATE_HZ : (second + 1) * RATE_HZ])


def _write_wav(file, samples):
    """24-bit PCM, by plain file writes: a full disk is an OSError."""
    whole = np.rint(samples * 2**23).astype("<i4")
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 3, RATE_HZ, len(samples), "NONE", ""))
        out.writeframes(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())


def _write_tables(folder, places):
    rows = [(place, f"audio/{name}", device) for place in places for device, _, name in place.names()]
    meta = [(file, place.scene, place.identifier, device) for place, file, device in rows]
    parts = {split: [(file, p.scene) for p, file, _ in rows if p.split == split] for split in ("train", "test")}
    setup, header = folder / "evaluation_setup", ("filename", "scene_label")
    _write_table(folder / "meta.csv", [(*header, "identifier", "source_label"), *meta])
    _write_table(setup / "fold1_train.csv", [header, *parts["train"]])
    _write_table(setup / "fold1_evaluate.csv", [header, *parts["test"]])
    _write_table(setup / "fold1_test.csv", [row[:1] for row in (header, *parts["test"])])


def _write_table(file, rows):
    file.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
