"""Which clips does the built-in data set consist of: scenes made by this project's own code, nothing to download?

The sounds are synthetic: noises, pulses and tones mixed into something like ten scenes and changed as by nine
devices.  They show that the whole way from audio files to a model file works; a figure measured on them says
nothing about real scenes, real devices or anyone's recordings.

Output: root/seed1-train2400-test1200-v1 and the like, laid out as TAU Urban Acoustic Scenes 2022 Mobile unpacks:
        meta.csv, evaluation_setup/fold1_*.csv, audio/*.wav of 1 s, 44.1 kHz, mono, 24 bits.
Shares: as in TAU: twelve cities; devices a, b, c and s1 to s6, with b, c and s1 to s3 rare in training, s4 to s6
        and two cities in the test only.  A place is recorded by one to three devices at once for up to 4 s, which
        are cut into clips of a second; it is either in training or in the test.
Size:   135 kB a clip.
"""

import fcntl
import os
import shutil
import tempfile
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from asc_tf.data.datasets import tau
from asc_tf.data.datasets.listing import Listing
from asc_tf.data.synthetic import places as _places
from asc_tf.data.synthetic import write as _tree
from asc_tf.errors import UserError

VERSION = 1  # of the sounds: a change of them needs another number, so that no old tree is taken for a new one
FEWEST_CLIPS = 60  # of a split: with fewer, a scene, city or device would be missing


def listing(*, root: str, seed: int = 1, train_clips: int, test_clips: int) -> Listing:
    """The made-up scenes below `root`, made first if they are not there.

    Each choice of seed and sizes has a folder of its own, which is moved to its place when complete.
    Raises UserError for too few clips, and where `root` cannot be written.
    """
    _check(seed, {"train_clips": train_clips, "test_clips": test_clips})
    folder = Path(root).expanduser() / f"seed{seed}-train{train_clips}-test{test_clips}-v{VERSION}"
    try:
        if not folder.is_dir():
            _make(folder, _places.plan(train_clips=train_clips, test_clips=test_clips), seed)
    except OSError as error:
        raise UserError(
            f"dataset.root = '{root}': the made-up scenes cannot be written there ({error}). "
            "Name a folder that can be written, with 135 kB free for each clip."
        ) from error
    except BrokenProcessPool as error:
        raise UserError(
            "dataset made_up: a worker process died (out of memory, or a script without "
            "`if __name__ == '__main__':`). Nothing half-made is kept: run it again."
        ) from error
    return tau.listing(root=str(folder), split="fold1")


def _check(seed, sizes):
    if seed < 0:
        raise UserError(f"dataset.seed = {seed} must be at least 0.")
    for setting, clips in sizes.items():
        if clips < FEWEST_CLIPS:
            raise UserError(f"dataset.{setting} = {clips} must be at least {FEWEST_CLIPS}, to have every device.")


def _make(folder, places, seed):
    """Makes the tree beside its place and moves it there; what a killed run left is removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f".{folder.name}.lock"), "w") as lock:
        # Two runs at once: the second waits. The system frees the lock however its holder dies.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.parent.glob(f".{folder.name}.*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        if folder.is_dir():
            return
        with tempfile.TemporaryDirectory(".partial", f".{folder.name}.", folder.parent) as partial:
            tree = Path(partial) / "tree"
            tree.mkdir()
            _tree.write(tree, places, seed=seed, workers=os.cpu_count())
            os.replace(tree, folder)
