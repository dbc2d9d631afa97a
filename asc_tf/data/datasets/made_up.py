"""The built-in dataset: synthetic scenes, synthesised by this project's code, nothing to download.

Noises, pulses and tones are mixed into something like ten scenes and changed as by nine devices. They show that the
whole way from audio files to a model file works; a figure measured on them means nothing for real scenes or devices.

Output: root/seed1-train2400-test1200-v1 and the like, laid out as TAU Urban Acoustic Scenes 2022 Mobile unpacks:
        meta.csv, evaluation_setup/fold1_*.csv, audio/*.wav of 1 s, 44.1 kHz, mono, 24 bits.
Shares: as in TAU: twelve cities; devices a, b, c and s1 to s6, with b, c and s1 to s3 rare in training, s4 to s6
        and two cities in the test only. A location is recorded by one to three devices at once for up to 4 s, which
        are cut into clips of a second; it is either in training or in the test.
Size:   135 kB a clip.

With `layout = "tau2022"`, for recipes that read TAU: root/seed1-train2400-test1200-tau2022-v1 and the like, with
tau2022/, the same scenes with the training splits of DCASE 2024 (split5.csv to split100.csv, test.csv), and what such
recipes need besides: audioset/, a small set in AudioSet's format (150 MB), and micirp/, microphones' impulse responses.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from asc_tf.data.datasets import tau
from asc_tf.data.datasets.csv_table import read_table
from asc_tf.data.datasets.listing import Listing, existing_folder
from asc_tf.data.lock import locked
from asc_tf.data.synthetic import audioset_tree, impulse_responses, places, splits, tau_tree, write
from asc_tf.errors import UserError

SCENES = tau.SCENES
VERSION = 1  # of the sounds: a change of them needs another number, so that no old folder is taken for a new one
FEWEST_CLIPS = 60  # of a split: with fewer, a scene, city or device would be missing


def listing(
    *,
    root: str,
    seed: int = 1,
    train_clips: int,
    test_clips: int,
    layout: Literal["fold1", "tau2022"] = "fold1",
    split: tau.Split = "fold1",
    splits_folder: str = "",
) -> Listing:
    """Lists the synthetic scenes below a folder; they are synthesised first if they are absent.

    Args:
        root: Folder of all sets of scenes; each choice of seed and sizes has a folder there, which appears when it is
            complete.
        seed: Seed of the sounds, at least 0.
        train_clips: Clips of the training split, at least 60; with layout "tau2022" at least 1200, so that split5
            has every scene.
        test_clips: Clips of the test split, at least 60.
        layout: "fold1" for the scenes alone; "tau2022" for a folder with the scenes in tau2022, all splits of TAU, and
            audioset and micirp beside them.
        split: With layout "tau2022", the split that is listed, as of dataset tau.
        splits_folder: With layout "tau2022", folder of the official split5.csv and the like and test.csv, also as
            .csv.gz: the clips get names of these lists, the largest of which has `train_clips` clips. Splits without a
            list are absent from the tree.

    Raises:
        UserError: A setting is out of range, a list is wrong, or `root` cannot be written.
    """
    _check(seed, {"train_clips": train_clips, "test_clips": test_clips})
    if layout == "tau2022":
        settings = {"root": root, "seed": seed, "train_clips": train_clips, "test_clips": test_clips}
        return _listing_tau2022(settings, split, splits_folder)
    if (split, splits_folder) != ("fold1", ""):
        raise UserError('dataset.split and dataset.splits_folder of made_up need dataset.layout = "tau2022".')
    folder = tree_folder(root=root, seed=seed, train_clips=train_clips, test_clips=test_clips)

    def write_tree(tree):
        locations = places.plan(train_clips=train_clips, test_clips=test_clips)
        write.write(tree, locations, seed=seed, workers=os.cpu_count())

    _make_once(folder, write_tree)
    return tau.listing(root=str(folder), split="fold1")


def tree_folder(
    *,
    root: str,
    seed: int = 1,
    train_clips: int,
    test_clips: int,
    layout: str = "fold1",
    splits_folder: str = "",
    **_: Any,
) -> Path:
    """The folder of a set, which exists once it has been synthesised.

    Args:
        root: See `listing`, as all others.
        seed: Part of the folder's name.
        train_clips: Part of the folder's name.
        test_clips: Part of the folder's name.
        layout: "fold1" or "tau2022".
        splits_folder: Folder of official lists, a digest of which is part of the folder's name.
    """
    digest = f"-{_digest(_lists(splits_folder))}" if splits_folder else ""
    kind = "" if layout == "fold1" else f"-{layout}"
    return Path(root).expanduser() / f"seed{seed}-train{train_clips}-test{test_clips}{kind}-v{VERSION}{digest}"


def data_folder(**settings: Any) -> Path | None:
    """The folder that `--data` takes in place of downloaded datasets: that of layout "tau2022"; None for another.

    Args:
        settings: Those of `listing`.
    """
    return tree_folder(**settings) if settings["layout"] == "tau2022" else None


def expected_clips(**settings: Any) -> dict[str, int]:
    """Number of clips of a set, before validation clips are taken from the training split; nothing is synthesised.

    Args:
        settings: Those of `listing`.

    Returns:
        {"train": clips, "test": clips}.

    Raises:
        UserError: A setting is out of range.
    """
    sizes = {name: settings[name] for name in ("train_clips", "test_clips")}
    split = settings.get("split", "fold1")
    if split == "fold1":
        return {"train": sizes["train_clips"], "test": sizes["test_clips"]}
    lists = _lists(settings["splits_folder"]) if settings.get("splits_folder") else None
    chosen = tau_tree.plan(**sizes, seed=settings.get("seed", 1), lists=lists)
    if split not in chosen.splits:
        raise UserError(f"dataset.split = '{split}': there is no {split}.csv in {settings['splits_folder']}.")
    return {"train": chosen.clips(split), "test": chosen.clips("test")}


def _check(seed, sizes):
    if seed < 0:
        raise UserError(f"dataset.seed = {seed} must be at least 0.")
    for setting, clips in sizes.items():
        if clips < FEWEST_CLIPS:
            raise UserError(f"dataset.{setting} = {clips} must be at least {FEWEST_CLIPS}, to have every device.")


def _listing_tau2022(settings, split, splits_folder):
    folder = tree_folder(**settings, layout="tau2022", splits_folder=splits_folder)
    seed, workers = settings["seed"], os.cpu_count()

    def write_tree(tree):
        sizes = {name: settings[name] for name in ("train_clips", "test_clips")}
        lists = _lists(splits_folder) if splits_folder else None
        tau_tree.write(tree / "tau2022", **sizes, seed=seed, workers=workers, lists=lists)
        audioset_tree.write(tree / "audioset", seed=seed, workers=workers)
        impulse_responses.write(tree / "micirp", seed=seed)

    _make_once(folder, write_tree)
    return tau.listing(root=str(folder / "tau2022"), split=split)


def _lists(splits_folder):
    """{split: file names} of the official lists of a folder, "test" among them."""
    folder = existing_folder(splits_folder, "dataset.splits_folder", "Name the folder of the split lists.")
    names = (*splits.SHARES, tau_tree.TEST)
    lists = {}
    for name in names:
        for file in (folder / f"{name}.csv", folder / f"{name}.csv.gz"):
            if file.is_file():
                lists.setdefault(name, read_table(file, ("filename",))[1])
    if tau_tree.TEST not in lists or len(lists) < 2:
        raise UserError(
            f"dataset.splits_folder = '{splits_folder}': needs test.csv and one of split5.csv and the like."
        )
    return lists


def _digest(lists):
    content = "\n".join(line for name, files in lists.items() for line in (name, *files))
    return hashlib.blake2b(content.encode(), digest_size=4).hexdigest()


def _make_once(folder: Path, write_tree: Callable[[Path], None]) -> None:
    """Makes a folder of scenes where it is absent."""
    try:
        if not folder.is_dir():
            _make(folder, write_tree)
    except OSError as error:
        raise UserError(
            f"dataset.root = '{folder.parent}': the made-up scenes cannot be written there ({error}). "
            "Name a folder that can be written, with 135 kB free for each clip."
        ) from error


def _make(folder, write_tree):
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
            write_tree(tree)
            os.replace(tree, folder)
