"""Speed of gammatone and CQT spectrograms relative to gammatone, librosa and nnAudio; clips of 1 s at 44.1 kHz.

Run:     python benchmarks/features_gammatone_cqt.py [--repeats 5] [--seconds 4]
Needs:   pip install -e ".[bench]" (gammatone, librosa, nnAudio, torch);
         a rival that is absent is left out, with a message.
Output:  a line for each rival: clips a second, ours / rival, the ratio; medians of alternating measurements.

Ours is a tf.data pipeline of slices of 16 clips on all processors, rivals in one and in two processes; nnAudio
with torch's default threads and the best of three batch sizes.
"""

import argparse
import importlib.util
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

RATE_HZ, CLIPS, SLICE = 44100, 64, 16
GAMMATONE = {"window_samples": 2048, "hop_samples": 326, "bands": 128, "min_hz": 50.0, "max_hz": 22050.0}
C1_HZ = 32.70319566257483
CQT = {
    "CQT 128 bins, hop 326": {"hop_samples": 326, "bands": 128, "bins_per_octave": 16, "min_hz": 2 * C1_HZ},
    "CQT 84 bins, hop 512": {"hop_samples": 512, "bands": 84, "bins_per_octave": 12, "min_hz": C1_HZ},
}
METHODS = {"gammatone, FFT weights": "fft", "gammatone, exact filters": "filters"}


def clips() -> np.ndarray:
    """(64, 44100) float32 of coloured noise, the same at every call."""
    spectra = np.fft.rfft(np.random.default_rng(0).standard_normal((CLIPS, RATE_HZ)))
    return (np.fft.irfft(spectra / np.sqrt(1 + np.arange(spectra.shape[1]))) * 10).astype("f")


def rows(*, repeats: int = 5, seconds: float = 4.0) -> Iterator[tuple[str, str, float, float]]:
    """Yields (front end, rival, our clips a second, the rival's).

    Args:
        repeats: Number of measurements of each, in turn, of which the median is taken.
        seconds: Duration of a measurement.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as one, context.Pool(2) as two:
        for front_end, method in METHODS.items():
            ours = {"ours": _ours("gammatone", method=method, scale="magnitude", **GAMMATONE)}
            rivals = _in_processes("gammatone", _gammatone, method, one, two) if installed("gammatone") else {}
            yield from compare(front_end, ours | rivals, clips(), repeats, seconds)
        for front_end, settings in CQT.items():
            ours = {"ours": _ours("cqt", scale="magnitude", **settings)}
            rivals = _in_processes("librosa", _librosa, settings, one, two) if installed("librosa") else {}
            rivals |= _nnaudio(settings) if installed("nnAudio") and installed("torch") else {}
            yield from compare(front_end, ours | rivals, clips(), repeats, seconds)


def installed(package: str) -> bool:
    """Whether a rival is installed; prints a message where it is not."""
    if importlib.util.find_spec(package) is None:
        print(f"{package} is not installed: left out")
        return False
    return True


def compare(
    title: str, functions: Mapping[str, Callable[[Any], int]], clips: Any, repeats: int, seconds: float
) -> Iterator[tuple[str, str, float, float]]:
    """Yields (title, rival, our clips a second, the rival's), medians of measurements in turn.

    Args:
        title: What is measured.
        functions: Name -> function that takes clips and returns how many it computed; "ours" is the first.
        clips: The argument of the functions.
        repeats: Number of measurements of each.
        seconds: Duration of a measurement.
    """
    for function in functions.values():
        function(clips)  # traces, compiles, starts processes
    rates = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            rates[name].append(_rate(function, clips, seconds))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name in list(functions)[1:]:
        yield title, name, medians["ours"], medians[name]


def _rate(function, clips, seconds):
    function(clips)  # empties buffers, warms up
    start, count = time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        count += function(clips)
    return count / (time.perf_counter() - start)


def _ours(part, **settings):
    import tensorflow as tf

    from asc_tf.recipe import registry

    layer = registry.entry("feature", part)(sample_rate_hz=RATE_HZ, **settings)
    slices = tf.data.Dataset.from_tensor_slices(clips()).repeat().batch(SLICE, drop_remainder=True)
    spectrograms = iter(slices.map(layer, os.cpu_count()).prefetch(1))

    def run(_):
        for _ in range(CLIPS // SLICE):
            next(spectrograms)
        return CLIPS

    return run


def _in_processes(name, function, settings, one, two):
    return {
        f"{name}, one process": lambda waves: sum(one.map(function, [(wave, settings) for wave in waves[:2]], 1)),
        f"{name}, two processes": lambda waves: sum(two.map(function, [(wave, settings) for wave in waves[:4]], 1)),
    }


def _gammatone(job):
    from gammatone import fftweight, gtgram

    wave, method = job
    function = {"fft": fftweight.fft_gtgram, "filters": gtgram.gtgram}[method]
    window, hop = (GAMMATONE[key] / RATE_HZ for key in ("window_samples", "hop_samples"))
    function(wave, RATE_HZ, window, hop, GAMMATONE["bands"], GAMMATONE["min_hz"])
    return 1


def _librosa(job):
    import librosa

    wave, settings = job
    hop, bands, octave, low = (settings[key] for key in ("hop_samples", "bands", "bins_per_octave", "min_hz"))
    np.abs(librosa.cqt(wave, sr=RATE_HZ, hop_length=hop, fmin=low, n_bins=bands, bins_per_octave=octave))
    return 1


def _nnaudio(settings):
    """CQT1992v2, and CQT2010v2 where the hop can be halved once an octave; elsewhere that raises."""
    import torch
    from nnAudio import features

    hop, bands, octave, low = (settings[key] for key in ("hop_samples", "bands", "bins_per_octave", "min_hz"))
    octaves = -(-bands // octave)
    classes = ["CQT1992v2"] + (["CQT2010v2"] if hop % 2 ** (octaves - 1) == 0 else [])
    functions = {}
    for name in classes:
        transform = getattr(features, name)(
            sr=RATE_HZ, hop_length=hop, fmin=low, n_bins=bands, bins_per_octave=octave, verbose=False
        )
        for size in (1, 4, 16):

            def run(waves, transform=transform, size=size):
                with torch.no_grad():
                    transform(torch.from_numpy(waves[:size]))
                return size

            functions[f"nnAudio {name}, batches of {size}"] = run
    return functions


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    for front_end, rival, ours, theirs in rows(repeats=arguments.repeats, seconds=arguments.seconds):
        print(f"{front_end:26} {rival:36} {ours:9.1f} / {theirs:8.2f} clips/s = {ours / theirs:7.1f} x", flush=True)


if __name__ == "__main__":
    main()
