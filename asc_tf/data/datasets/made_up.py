"""The built-in dataset: synthetic scenes, synthesised by this project's code, nothing to download.

Noises, pulses and tones are mixed into something like ten scenes and changed as by nine devices. They show that the
whole way from audio files to a model file works; a figure measured on them means nothing for real scenes or devices.

Output: root/seed1-train2400-test1200-v1 and the like, laid out as TAU Urban Acoustic Scenes 2022 Mobile unpacks:
        meta.csv, evaluation_setup/fold1_*.csv, audio/*.wav of 1 s, 44.1 kHz, mono, 24 bits.
Shares: as in TAU: twelve cities; devices a, b, c and s1 to s6, with b, c and s1 to s3 rare in training, s4 to s6
        and two cities in the test only. A location is recorded by one to three devices at once for up to 4 s, which
        are cut into clips of a second; it is either in training or in the test.
Size:   135 kB a clip.
"""

import os
import shutil
import tempfile
from pathlib import Path

from asc_tf.data.datasets import tau
from asc_tf.data.datasets.listing import Listing
from asc_tf.data.lock import locked
from asc_tf.data.synthetic import places, write
from asc_tf.errors import UserError

SCENES = tau.SCENES
VERSION = 1  # of the sounds: a change of them needs another number, so that no old folder is taken for a new one
FEWEST_CLIPS = 60  # of a split: with fewer, a scene, city or device would be missing


def listing(*, root: str, seed: int = 1, train_clips: int, test_clips: int) -> Listing:
    """Lists the synthetic scenes below a folder; they are synthesised first if they are absent.

    Args:
        root: Folder of all sets of scenes; each choice of seed and sizes has a folder there, which appears when it is
            complete.
        seed: Seed of the sounds, at least 0.
        train_clips: Clips of the training split, at least 60.
        test_clips: Clips of the test split, at least 60.

    Raises:
        UserError: A setting is out of range, or `root` cannot be written.
    """
    _check(seed, {"train_clips": train_clips, "test_clips": test_clips})
    folder = Path(root).expanduser() / f"seed{seed}-train{train_clips}-test{test_clips}-v{VERSION}"
    try:
        if not folder.is_dir():
            _make(folder, places.plan(train_clips=train_clips, test_clips=test_clips), seed)
    except OSError as error:
        raise UserError(
            f"dataset.root = '{root}': the made-up scenes cannot be written there ({error}). "
            "Name a folder that can be written, with 135 kB free for each clip."
        ) from error
    return tau.listing(root=str(folder), split="fold1")


def _check(seed, sizes):
    if seed < 0:
        raise UserError(f"dataset.seed = {seed} must be at least 0.")
    for setting, clips in sizes.items():
        if clips < FEWEST_CLIPS:
            raise UserError(f"dataset.{setting} = {clips} must be at least {FEWEST_CLIPS}, to have every device.")


def _make(folder, locations, seed):
    """Writes the scenes to a temporary folder and renames it; removes what a killed run left."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f".{folder.name}.lock")
    lock.touch()
    with locked(lock):
        for left in folder.parent.glob(f".{folder.name}.*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        if folder.is_dir():  # another run has written it meanwhile
            return
        with tempfile.TemporaryDirectory(".partial", f".{folder.name}.", folder.parent) as partial:
            tree = Path(partial) / "tree"
            tree.mkdir()
            write.write(tree, locations, seed=seed, workers=os.cpu_count())
            os.replace(tree, folder)
