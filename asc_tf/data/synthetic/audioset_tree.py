"""A small made-up set of clips in AudioSet's format: its tables with all 527 classes, and clips of ten seconds."""

import base64
import hashlib
from pathlib import Path

import numpy as np

from asc_tf.data.progress import progress_bar
from asc_tf.data.synthetic import labelled
from asc_tf.data.synthetic.wav import write_wav
from asc_tf.data.worker_pool import run_jobs
from asc_tf.recipe import labels

RATE_HZ, SECONDS = 32_000, 10.0
_USED_EVERY = 13  # so many classes apart are those that clips have: 41 of 527, each in several clips
_MOST_LABELS = 3


def write(
    folder: Path,
    *,
    balanced_clips: int = 96,
    unbalanced_clips: int = 96,
    eval_clips: int = 48,
    seed: int,
    workers: int = 1,
) -> None:
    """Writes class_labels_indices.csv, the three tables of segments and audio/YTID.wav (32 kHz, 16 bits, mono).

    Args:
        folder: A new or empty folder.
        balanced_clips: Rows of balanced_train_segments.csv.
        unbalanced_clips: Rows of unbalanced_train_segments.csv.
        eval_clips: Rows of eval_segments.csv.
        seed: Of all random numbers.
        workers: Processes.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    (folder / "audio").mkdir(parents=True)
    names = labels.read("audioset_527")
    rows = (f'{index},{_mid(index)},"{name}"\n' for index, name in enumerate(names))
    (folder / "class_labels_indices.csv").write_text("index,mid,display_name\n" + "".join(rows), encoding="utf-8")
    tables = {"balanced_train": balanced_clips, "unbalanced_train": unbalanced_clips, "eval": eval_clips}
    jobs = []
    for number, (table, count) in enumerate(tables.items()):
        clips = [(folder / "audio", seed, number, clip, len(names)) for clip in range(count)]
        _write_segments(folder / f"{table}_segments.csv", clips)
        jobs += clips
    with progress_bar("making AudioSet", total=len(jobs), unit=" clips") as bar:
        run_jobs(_write_clip, jobs, workers=workers, name="dataset made_up", on_done=lambda _: bar.update())


def _mid(index):
    return f"/m/0made{index:03}"


def _write_segments(file, clips):
    """The table of some clips, with the three lines of comment of the official ones."""
    of_clip = [_labels(clip) for clip in clips]
    counts = {
        "num_ytids": len(clips),
        "num_segs": len(clips),
        "num_unique_labels": len({label for indices in of_clip for label in indices}),
        "num_positive_labels": sum(map(len, of_clip)),
    }
    head = [
        "# Segments csv of made-up clips",
        "# " + ", ".join(f"{name}={count}" for name, count in counts.items()),
        "# YTID, start_seconds, end_seconds, positive_labels",
    ]
    rows = [
        f'{_video(clip)}, 0.000, {SECONDS:.3f}, "{",".join(map(_mid, indices))}"'
        for clip, indices in zip(clips, of_clip, strict=True)
    ]
    file.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")


def _video(clip):
    """An ID of 11 characters, as those of YouTube."""
    digest = hashlib.blake2b("-".join(map(str, clip[1:4])).encode(), digest_size=8).digest()
    return base64.urlsafe_b64encode(digest)[:11].decode()


def _labels(clip):
    """The classes of a clip: one in turn, so that every one that is used has clips, and up to two random ones."""
    _, seed, table, number, classes = clip
    rng = np.random.default_rng([seed, table, number, 0])
    used = range(0, classes, _USED_EVERY)
    others = rng.choice(used, rng.integers(_MOST_LABELS), replace=False).tolist()
    return sorted({used[number % len(used)], *others})


def _write_clip(clip):
    folder, seed, table, number, _ = clip
    rng = np.random.default_rng([seed, table, number, 1])
    samples = labelled.sound(_labels(clip), rng, seconds=SECONDS, rate_hz=RATE_HZ)
    write_wav(folder / f"{_video(clip)}.wav", samples, rate_hz=RATE_HZ, sample_bytes=2)
