"""Clips decoded in every step (data.read = "direct") beside prepared ones: speed, memory, disk and quiet recordings.

Run:     python benchmarks/direct.py [--files 2000] [--folder runs/direct]
Output:  clips a second of a pass over 2,000 clips of one second in WAV of 24 bits at 44.1 kHz, resampled to 32 kHz, the
         resident memory at most, the bytes on the disk, and the relative error of a recording of -80 dBFS.
Needs:   tensorflow-io: pip install -c requirements-tf2.17.lock 'asc_tf[io]'

Both ways run in turn in processes of their own; the second pass is measured, when the files are in memory.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ, TO_HZ, QUIET_DBFS = 44_100, 32_000, -80.0


def write(folder: Path, files: int) -> None:
    """Writes the clips where they are not there yet; the first one is the quiet one."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(files):
        path = folder / f"clips/{number:05d}.wav"
        level_dbfs = QUIET_DBFS if number == 0 else rng.uniform(-50, -20)
        spectrum = np.fft.rfft(rng.standard_normal(RATE_HZ))
        spectrum[12_000:] = 0.0  # Hz: above 0.9 of the new Nyquist frequency resamplers differ by design
        samples = 10 ** (level_dbfs / 20) * np.fft.irfft(spectrum)
        if not path.is_file():
            soundfile.write(path, samples.clip(-1, 1), RATE_HZ, subtype="PCM_24")


def measure(way: str, folder: Path) -> None:
    """Prints what one way takes for a pass over all clips.

    Args:
        way: "prepared" or "direct".
        folder: Folder of the clips.
    """
    from asc_tf.data import audio, batches, direct
    from asc_tf.data.datasets.listing import Clip, Listing
    from asc_tf.data.prepared import shards

    names = sorted(file.name for file in (folder / "clips").iterdir())
    listing = Listing.from_clips(folder / "clips", ("x",), [Clip(name, "x", "train") for name in names])
    start_s = time.monotonic()
    if way == "direct":
        clips = direct.index(listing, sample_rate_hz=TO_HZ, segment_s=1.0)
    else:
        clips = shards.prepare(listing, folder=folder / "prepared", sample_rate_hz=TO_HZ, quiet=True)
    index_s, count = time.monotonic() - start_s, len(clips)
    zeros = np.zeros(count, np.int64)
    source = batches.Source(
        clips.read, clips.samples, np.arange(count), zeros, 1, np.array([""] * count), full_scale=clips.full_scale
    )
    for _ in range(2):
        start_s = time.monotonic()
        for _ in batches.evaluation(source, batches.CHUNK):
            pass
        seconds = time.monotonic() - start_s
    exact = audio.resample(*audio.read(folder / "clips" / names[0]), TO_HZ)
    error = clips.read([0])[0] / clips.full_scale - exact
    copies = sum(file.stat().st_size for file in (folder / "prepared").rglob("*.npy")) if way == "prepared" else 0
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{way:9s} {count / seconds:7,.0f} clips/s, first {index_s:5.1f} s, "
        f"{megabytes:6,.0f} MB resident, {copies / 1e6:6,.1f} MB of copies, "
        f"error at {QUIET_DBFS:g} dBFS {np.std(error) / np.std(exact):.2%}",
        flush=True,
    )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=Path("runs/direct"))
    parser.add_argument("--way", choices=("prepared", "direct"))
    options = parser.parse_args()
    if options.way:
        measure(options.way, options.folder)
        return
    write(options.folder, options.files)
    for way in ("prepared", "direct"):
        command = [sys.executable, __file__, "--way", way, "--folder", str(options.folder)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
