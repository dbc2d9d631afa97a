"""Speed of the front ends relative to their originals, and their cost by the number of clips; clips of 1 s, 2 cores.

Run:     python benchmarks/front_ends.py [--repeats 5] [--seconds 4] [--most 100000]
Needs:   pip install -e ".[bench]" (librosa, torch, nnAudio, gammatone);
         a rival that is absent is left out, with a message.
Output:  a line a rival: clips a second of ours / of the rival, the ratio and its target, medians of
         alternating measurements; then the cost a clip and the memory from 1 to 100,000 clips.

Log-mel: the DCASE 2024 baseline's, 32 kHz, FFT 4096, 256 x 65. Its torch original is written in plain torch
(torch.stft and the bank that torchaudio makes); the bare FFTs are those of the same frames by torch's MKL.
Gammatone and CQT: features_gammatone_cqt.py.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import features_gammatone_cqt as others
import numpy as np

RATE_HZ, CLIPS, CHUNK = 32000, 64, 64
SETTINGS = {
    "flavour": "htk", "sample_rate_hz": RATE_HZ, "window_samples": 3072, "hop_samples": 500, "fft_samples": 4096,
    "bands": 256, "min_hz": 0.0, "max_hz": 16000.0,
}  # fmt: skip
# Starts of the names of (front end, rival) -> least ratio to the best of these rivals.
TARGETS = {
    ("log-mel", "librosa, two processes"): 6,
    ("log-mel", "torch"): 1.5,
    ("log-mel", "bare FFT"): 1 / 3,
    ("gammatone", "gammatone, two processes"): 5,
    ("CQT", "librosa, two processes"): 50,
    ("CQT", "nnAudio"): 10,
}


def clips() -> np.ndarray:
    """(64, 32000) float32 of coloured noise, the same at every call."""
    spectra = np.fft.rfft(np.random.default_rng(0).standard_normal((CLIPS, RATE_HZ)))
    return (np.fft.irfft(spectra / np.sqrt(1 + np.arange(spectra.shape[1]))) * 10).astype("f")


def rows(*, repeats: int, seconds: float) -> Iterator[tuple[str, str, float, float]]:
    """Yields (front end, rival, our clips a second, the rival's) for the log-mel.

    Args:
        repeats: Number of measurements of each.
        seconds: Duration of a measurement.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as one, context.Pool(2) as two:
        functions = {"ours": ours()}
        if others.installed("librosa"):
            functions["librosa, one process"] = lambda waves: sum(one.map(librosa_mel, waves[:8], 8))
            functions["librosa, two processes"] = lambda waves: sum(two.map(librosa_mel, waves[:16], 8))
        functions |= torch_rivals() if others.installed("torch") else {}
        yield from others.compare("log-mel 32 kHz", functions, clips(), repeats, seconds)


def layer() -> Callable:
    """The front end that is measured."""
    from asc_tf.features import log_mel

    return log_mel.build(**SETTINGS)


def ours() -> Callable[[np.ndarray], int]:
    """Our front end in a tf.data pipeline; a call takes a chunk of clips from it."""
    import tensorflow as tf

    chunks = tf.data.Dataset.from_tensor_slices(clips()).repeat().batch(CHUNK, drop_remainder=True)
    spectrograms = iter(chunks.map(layer(), os.cpu_count()).prefetch(1))

    def run(waves):
        next(spectrograms)
        return len(waves)

    return run


def librosa_mel(wave: np.ndarray) -> int:
    """Log-mel of a clip (samples,) by librosa; returns the number of clips."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=wave, sr=RATE_HZ, n_fft=4096, win_length=3072, hop_length=500, n_mels=256, htk=True, norm=None
    )
    np.log(power + 1e-5)
    return 1


def torch_rivals() -> dict[str, Callable[[np.ndarray], int]]:
    """The torch original and the bare FFTs, each in several batch sizes, on two threads, by name."""
    import torch

    from asc_tf.features import _mel

    torch.set_num_threads(2)
    bank = torch.from_numpy(_mel.htk_bank(256, 4096, RATE_HZ, 0.0, 16000.0))
    window = torch.hann_window(3072)

    def mel(waves):
        spectrum = torch.stft(waves, 4096, 500, 3072, window, center=True, pad_mode="reflect", return_complex=True)
        return torch.log(torch.matmul(spectrum.abs().pow(2).transpose(1, 2), bank).transpose(1, 2) + 1e-5)

    def batched(function, inputs, size):
        def run(waves):
            with torch.no_grad():
                for start in range(0, CLIPS, size):
                    function(inputs[start : start + size])
            return CLIPS

        return run

    waves, frames = torch.from_numpy(clips()), torch.randn(CLIPS, 65, 4096)
    functions = {f"torch, batches of {size}": batched(mel, waves, size) for size in (1, 4, 8, 16, 64)}
    return functions | {f"bare FFT, batches of {size}": batched(torch.fft.rfft, frames, size) for size in (1, 4, 16)}


def growth(most: int) -> Iterator[tuple[int, float, float]]:
    """Yields (clips, milliseconds a clip, MB of the process) for 1, 10, ... clips, once everything is compiled.

    Up to 100 clips are one call; more are computed in a pipeline in chunks of 64.

    Args:
        most: Largest number of clips.
    """
    import tensorflow as tf

    layer_of = tf.function(layer(), reduce_retracing=True)
    waves = tf.constant(np.tile(clips(), (2, 1)))

    def process(count):
        if count <= 100:
            return layer_of(waves[:count])
        indices = tf.data.Dataset.range(count).batch(CHUNK)
        for _ in indices.map(lambda n: layer_of(tf.gather(waves, n % CLIPS)), os.cpu_count()).prefetch(1):
            pass

    count = 1
    while count <= most:
        process(count)
        repeats = max(1, 1000 // count)
        start = time.perf_counter()
        for _ in range(repeats):
            process(count)
        yield count, 1000 * (time.perf_counter() - start) / repeats / count, _resident_megabytes()
        count *= 10


def _resident_megabytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def target_lines(results: Sequence[tuple[str, str, float, float]]) -> Iterator[str]:
    """Yields a line for every target, met or missed, against the best variant of the rival.

    Args:
        results: (front end, rival, our clips a second, the rival's), as `rows` yields them.
    """
    for (front_end, rival), least in TARGETS.items():
        ratios = {}
        for name, form, ours_per_s, theirs_per_s in results:
            if name.startswith(front_end) and form.startswith(rival):
                ratios[name] = min(ratios.get(name, np.inf), ours_per_s / theirs_per_s)
        for name, ratio in ratios.items():
            yield f"{name}: {ratio:.2f} x {rival}, target {least:.2f}: {'met' if ratio >= least else 'MISSED'}"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--most", type=int, default=100_000, help="clips of the longest run")
    parser.add_argument("--only", choices=["log-mel", "others", "growth"])
    options = parser.parse_args()
    timing, results = {"repeats": options.repeats, "seconds": options.seconds}, []
    for part, source in (("log-mel", rows), ("others", others.rows)):
        for front_end, rival, ours_per_s, theirs_per_s in source(**timing) if options.only in (None, part) else ():
            rates, ratio = f"{ours_per_s:9.1f} / {theirs_per_s:8.2f} clips/s", ours_per_s / theirs_per_s
            print(f"{front_end:26} {rival:36} {rates} = {ratio:7.2f} x", flush=True)
            results.append((front_end, rival, ours_per_s, theirs_per_s))
    print("\n".join(target_lines(results)), flush=True)
    for count, cost_ms, megabytes in growth(options.most) if options.only in (None, "growth") else ():
        print(f"{count:7d} clips  {cost_ms:7.3f} ms a clip  {megabytes:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
