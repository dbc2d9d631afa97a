"""Noise files, their listing, and what prepared clips of them must hold."""

from pathlib import Path

import numpy as np
import soundfile

from asc_tf.data import audio
from asc_tf.data.datasets.listing import Clip, Listing
from asc_tf.data.prepared import shards

RATE_HZ = 8000


def write_noise(root, *, files=20, seconds=(1.0,), rate_hz=16000):
    """The listing of new files of noise; the durations take turns."""
    root.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for number in range(files):
        length = round(rate_hz * seconds[number % len(seconds)])
        soundfile.write(root / f"{number:03d}.wav", rng.normal(0, 0.1, length), rate_hz, subtype="PCM_24")
    return noise_listing(root, range(files))


def noise_listing(root, numbers):
    """The listing of files of `write_noise`, by their numbers."""
    clips = (Clip(f"{number:03d}.wav", "bus", "test" if number % 5 == 0 else "train") for number in numbers)
    return Listing.from_clips(root, ("bus",), tuple(clips))


def prepare(listing, folder, **options):
    """Prepares quietly at RATE_HZ unless the options differ."""
    return shards.prepare(listing, **{"folder": folder, "sample_rate_hz": RATE_HZ, "quiet": True} | options)


def expected_segments(listing, clip):
    """(segments, samples) int16 of a clip."""
    samples, rate_hz = audio.read(listing.root / listing.clips[clip].file)
    return audio.to_int16(audio.cut(audio.resample(samples, rate_hz, RATE_HZ), RATE_HZ, 1.0))


def file_names(folder):
    """Names of all files below a folder, sorted."""
    return sorted(path.name for path in Path(folder).rglob("*") if path.is_file())


def assert_prepared(prepared, listing, left_out=()):
    """Every segment of every clip, once, in order, with its samples; read in any order."""
    segments_of = {clip: expected_segments(listing, clip) for clip in range(len(listing.clips)) if clip not in left_out}
    rows = [(clip, segment) for clip, segments in segments_of.items() for segment in range(len(segments))]
    assert list(zip(prepared.clip.tolist(), prepared.segment.tolist(), strict=True)) == rows
    assert (prepared.clip.dtype, prepared.segment.dtype) == (np.int64, np.int64)
    order = np.random.default_rng(1).permutation(len(prepared))
    waves = prepared.read(order)
    assert waves.dtype == np.int16 and waves.shape == (len(rows), RATE_HZ)
    for wave, row in zip(waves, order, strict=True):
        clip, segment = rows[row]
        assert (wave == segments_of[clip][segment]).all()
