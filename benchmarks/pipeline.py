"""Speed of the training pipeline relative to the reference codes, and with as many clips as TAU has.

Run:     python benchmarks/pipeline.py [--repeats 5] [--seconds 4] [--most 200000] [--shared ../shared]
Needs:   pip install -e ".[bench]" (librosa, torch); a rival that is absent is left out, with a message.
Input:   real sound and real impulse responses of --shared; synthetic noise where it is absent, with a message.
Output:  clips a second of the whole pipeline (prepared int16 clips; DIR 0.6, roll, log-mel 256 x 65, frequency
         mask, Freq-MixStyle; batches of 256), medians of alternating measurements, relative to the rivals of
         pipeline_reference.py, to the front end alone and to the augmentations alone (the pipeline without front
         end, less its reading); then speed and resident memory of an epoch of 10,000 and of 200,000 clips, derived
         from real ones as they are read.
"""

import argparse
import dataclasses
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pipeline_reference as reference
import soundfile
from features_gammatone_cqt import installed

CLIPS, BATCH = 1024, reference.BATCH
# Start of a rival's name -> least ratio of our clips a second to the rival's.
TARGETS = {"torch": 3.5, "soundfile + librosa": 3.5, "our front end alone": 0.75}
REST_S = 5.0  # until the buffers of the other pipelines are full


def write_files(folder: Path, shared: Path) -> Path:
    """Writes CLIPS one-second WAV files at 32 kHz, of two classes.

    Args:
        folder: Where they are written.
        shared: Folder with real sound and impulse responses, which may be absent.

    Returns:
        The folder of the impulse responses.
    """
    for index, wave in zip(range(CLIPS), _seconds(shared), strict=False):
        file = folder / "clips" / ("even", "odd")[index % 2] / f"{index:04d}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, wave, reference.RATE_HZ, subtype="PCM_16")
    if (shared / "data/micirp").is_dir():
        return shared / "data/micirp"
    print(f"{shared / 'data/micirp'} is absent: synthetic impulse responses")
    rng = np.random.default_rng(0)
    for index in range(50):
        response = rng.standard_normal(16000) * np.exp(-np.arange(16000) / 500)
        (folder / "responses").mkdir(exist_ok=True)
        soundfile.write(folder / "responses" / f"{index}.wav", response / 10, reference.RATE_HZ)
    return folder / "responses"


def _seconds(shared):
    """Yields (32000,) waves: the seconds of ESC-10's clips, or coloured noise."""
    from asc_tf.data import audio

    files = sorted((shared / "data/esc10/audio").glob("*.ogg"))
    if not files:
        print(f"{shared / 'data/esc10'} is absent: synthetic noise")
        yield from np.random.default_rng(0).standard_normal((CLIPS, reference.RATE_HZ)).cumsum(1) / 3000
    for file in files:
        samples, rate_hz = audio.read(file)
        yield from audio.cut(audio.resample(samples, rate_hz, reference.RATE_HZ), reference.RATE_HZ, 1.0)


def ours(recipe: Any, source: Any, steps: int = 1_000_000) -> Iterator:
    """An iterator of our training batches, as training draws them."""
    from asc_tf import build
    from asc_tf.runs.folder import RunFolder

    return iter(build.training_batches(RunFolder(".", recipe), source, first_step=0, last_step=steps))


def front_end_alone(recipe: Any, source: Any) -> Callable[[], int]:
    """A function that computes a batch of spectrograms, always of the same chunk of waves."""
    import tensorflow as tf

    from asc_tf import build
    from asc_tf.data import batches

    waves = source.read(source.rows[: batches.CHUNK]).astype(np.float32) / 32768
    chunks = tf.data.Dataset.from_tensors(waves).repeat().map(build.front_end(recipe), os.cpu_count())
    return _batch_by_batch(iter(chunks.batch(BATCH // batches.CHUNK).prefetch(2)))


def without_front_end(recipe: Any, source: Any) -> Callable[[], int]:
    """A function that takes a batch from the pipeline with a constant spectrogram in place of the front end."""
    import tensorflow as tf

    from asc_tf.build import inputs

    layer = inputs.front_end(recipe)
    spectrogram = tf.random.stateless_normal((1, 256, 65, 1), (0, 0))

    def stand_in(wave):  # depends on the wave, or nothing before it would be computed
        return spectrogram + tf.reduce_max(wave, 1)[:, None, None, None]

    stand_in.compute_output_shape = layer.compute_output_shape
    with mock.patch.object(inputs, "front_end", lambda _: stand_in):
        return _batch_by_batch(ours(recipe, source))


def _batch_by_batch(iterator):
    def run():
        next(iterator)
        return BATCH

    return run


def rates(functions: Mapping[str, Callable[[], int]], repeats: int, seconds: float) -> dict[str, float]:
    """{name: clips a second}, medians of alternating measurements; buffered batches do not count.

    Args:
        functions: By name, functions that compute a batch and return its number of clips.
        repeats: Number of measurements of each.
        seconds: Duration of a measurement.
    """
    measured = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            time.sleep(REST_S)
            for _ in range(4):
                function()
            start, count = time.perf_counter(), 0
            while time.perf_counter() < start + seconds:
                count += function()
            measured[name].append(count / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in measured.items()}


def epoch_speed(recipe: Any, source: Any, count: int) -> tuple[float, float]:
    """(clips a second, maximum MB resident) of an epoch of `count` different clips: real ones, rolled and scaled."""
    from asc_tf.data import batches

    real = source.read(source.rows)

    def read(rows):
        gain = 0.5 + (rows // len(real) % 97) / 194
        rolled = [np.roll(real[row % len(real)], row // len(real)) for row in rows]
        return (np.stack(rolled) * gain[:, None]).astype(np.int16)

    rows = np.arange(count)
    labels, devices = source.labels[rows % len(real)], source.devices[rows % len(real)]
    many = dataclasses.replace(source, read=read, rows=rows, labels=labels, devices=devices)
    steps = batches.steps_per_epoch(many, BATCH)
    epoch = ours(recipe, many, steps)
    for _ in range(8):  # compiles, and empties the buffers
        next(epoch)
    start = time.perf_counter()
    clips = sum(BATCH for _ in epoch)
    return clips / (time.perf_counter() - start), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_speeds(
    recipe: Any, source: Any, files: Sequence[Path], responses: np.ndarray, options: argparse.Namespace
) -> None:
    """Measures and prints our clips a second relative to every rival's.

    Args:
        recipe: Recipe of our pipeline.
        source: Its training clips.
        files: The same clips as WAV files, for the rivals.
        responses: (count, taps) impulse responses, for the rivals.
        options: Of the command line.
    """
    functions = {"ours": _batch_by_batch(ours(recipe, source))}
    functions["our front end alone"] = front_end_alone(recipe, source)
    functions["ours without front end"] = without_front_end(recipe, source)
    functions["our reading alone"] = without_front_end(dataclasses.replace(recipe, augmentation=()), source)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        if installed("librosa"):
            functions |= reference.librosa_pipeline(files, responses, pool)
        if installed("torch"):
            functions |= reference.torch_pipelines(files, responses)
        measured = rates(functions, options.repeats, options.seconds)
    our_rate = measured.pop("ours")
    for name, rate in measured.items():
        least = next((least for start, least in TARGETS.items() if name.startswith(start)), None)
        target = f"target {least}: {'met' if our_rate / rate >= least else 'MISSED'}" if least else ""
        print(f"{name:36} {our_rate:7.0f} / {rate:7.0f} clips/s = {our_rate / rate:5.2f} x  {target}", flush=True)
    share = our_rate / measured["ours without front end"] - our_rate / measured["our reading alone"]
    print(f"augmentations' share of the time: {share:.2f}, target 0.25: {'met' if share <= 0.25 else 'MISSED'}")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--most", type=int, default=200_000, help="clips of the longest epoch")
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("ASC_TF_SHARED", "../shared")))
    parser.add_argument("--only", choices=["speed", "size"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        responses = write_files(folder, options.shared)

        from asc_tf import build, dataset
        from asc_tf.augmentation import _impulse
        from asc_tf.recipe import resolve

        changes = [
            f'dataset={{name="folder", root="{folder}/clips"}}',
            f"data.prepared_folder={folder}/prepared",
            f"augmentation.device_impulse.folder={responses.resolve()}",
            f"augmentation.device_impulse.p={reference.P_DEVICE}",
            f"train.batch_size={BATCH}",
        ]
        recipe = resolve.load("esc10_baseline2024", changes)
        data = dataset.load(recipe, quiet=True)
        source = build.source(recipe, data, data.train)
        if options.only != "size":
            files = sorted((folder / "clips").rglob("*.wav"))
            impulse_responses = _impulse.responses("device_impulse", str(responses), reference.RATE_HZ)
            print_speeds(recipe, source, files, impulse_responses, options)
        # The small epoch again at the end: shared processors drift.
        for count in (10_000, options.most, 10_000) if options.only != "speed" else ():
            rate, megabytes = epoch_speed(recipe, source, count)
            print(f"{count:7d} clips: {rate:7.0f} clips/s, {megabytes:5.0f} MB resident at most so far", flush=True)


if __name__ == "__main__":
    main()
