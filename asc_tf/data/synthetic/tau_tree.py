"""Synthetic scenes as a tree of TAU Urban Acoustic Scenes 2022 Mobile with the training splits of DCASE 2024 Task 1."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from asc_tf.data.synthetic import places, splits
from asc_tf.data.synthetic.devices import DEVICES
from asc_tf.data.synthetic.places import Location
from asc_tf.data.synthetic.scenes import SCENES
from asc_tf.data.synthetic.splits import Take
from asc_tf.data.synthetic.synthesis import SECONDS
from asc_tf.data.synthetic.write import write as write_scenes
from asc_tf.data.synthetic.write import write_table
from asc_tf.errors import UserError

FEWEST_CLIPS = 60  # of a split: with fewer, a scene could be missing
TEST = "test"  # name of the list of the test split


class Plan(NamedTuple):
    """Locations of a tree and its training splits.

    Args:
        locations: Of training and test.
        splits: {name of a split: its takes}.
    """

    locations: Sequence[Location]
    splits: Mapping[str, set[Take]]

    def clips(self, split: str) -> int:
        """Number of clips of a split: "train", "test" or one of `splits`."""
        chosen = self.splits[split] if split in self.splits else splits.takes(self.locations, split)
        return sum(take.clips for take in chosen)


def plan(
    *,
    train_clips: int,
    test_clips: int,
    seed: int,
    shares: Mapping[str, float] = splits.SHARES,
    lists: Mapping[str, Sequence[str]] | None = None,
) -> Plan:
    """Chooses the locations, recordings and splits.

    Args:
        train_clips: Clips of the training split; with `lists`, of the largest of them.
        test_clips: Clips of the test split.
        seed: Of the choice.
        shares: Share of the training clips of each split, where there are no `lists`.
        lists: {split: file names} of official lists, "test" among them. The made-up clips have names of these lists,
            in the lists' proportions, and at most the first four segments of a recording.

    Raises:
        UserError: There are too few clips for the smallest split to have every scene, or fewer clips in a list.
    """
    if lists:
        shares = {name: len(files) / max(map(len, _training(lists).values())) for name, files in lists.items()}
        shares.pop(TEST)
    _check(train_clips, shares)
    if lists:
        return _plan_of_lists(lists, shares, train_clips, test_clips, seed)
    locations = places.plan(train_clips=train_clips, test_clips=test_clips)
    return Plan(locations, splits.nested(splits.takes(locations, "train"), shares=shares, seed=seed))


def write(
    folder: Path,
    *,
    train_clips: int,
    test_clips: int,
    seed: int,
    workers: int = 1,
    shares: Mapping[str, float] = splits.SHARES,
    lists: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Writes meta.csv, audio/ and evaluation_setup/ with fold1_*.csv, the lists of the splits and test.csv.

    Args:
        folder: A new or empty folder.
        train_clips: See `plan`.
        test_clips: See `plan`.
        seed: Of all random numbers.
        workers: Processes.
        shares: See `plan`.
        lists: See `plan`.

    Raises:
        UserError: As of `plan`.
        OSError: The folder cannot be written, or the disk is full.
    """
    chosen = plan(train_clips=train_clips, test_clips=test_clips, seed=seed, shares=shares, lists=lists)
    folder.mkdir(parents=True, exist_ok=True)
    write_scenes(folder, chosen.locations, seed=seed, workers=workers)
    for name, takes in (*chosen.splits.items(), (TEST, splits.takes(chosen.locations, "test"))):
        write_table(folder / f"evaluation_setup/{name}.csv", [("filename", "scene_label"), *_rows(chosen, takes)])


def _rows(chosen, takes):
    keys = {(take.recording, take.device) for take in takes}
    for at in chosen.locations:
        for device, _, name in at.names():
            if (at.recording, device) in keys:
                yield f"audio/{name}", at.scene


def _check(train_clips, shares):
    name, share = min(shares.items(), key=lambda item: item[1])
    if train_clips * share < FEWEST_CLIPS:
        least = math.ceil(FEWEST_CLIPS / share)
        raise UserError(
            f'dataset.train_clips = {train_clips} must be at least {least} with layout "tau2022", '
            f"so that {name} ({share:.0%}) has every scene."
        )


def _training(lists):
    return {name: files for name, files in lists.items() if name != TEST}


def _plan_of_lists(lists, shares, train_clips, test_clips, seed):
    """A plan of names of official lists: of what each list adds to the smaller ones, its part of the clips."""
    chosen, known, names = set(), set(), {}
    for name in sorted(shares, key=shares.get):
        takes = [take for take in _takes(name, lists[name]) if take not in known]
        missing = round(shares[name] * train_clips) - sum(take.clips for take in chosen)
        known.update(takes)
        chosen |= _first_clips(name, takes, missing, seed)
        names[name] = set(chosen)
    test = _first_clips(TEST, _takes(TEST, lists[TEST]), test_clips, seed)
    return Plan(_locations(chosen, "train") + _locations(test, "test"), names)


def _takes(name, files):
    """The takes of a list; their clips are the segments from 0 on, as many as a synthetic recording has seconds."""
    segments = defaultdict(set)
    for file in files:
        parts = file.removeprefix("audio/").removesuffix(".wav").split("-")
        if len(parts) != 6 or not (parts[3] + parts[4]).isdecimal() or not _known(parts[0], parts[5]):
            rule = "audio/scene-city-location-recording-segment-device.wav"
            raise UserError(f"dataset.splits_folder: {name}: '{file}' is not {rule}; take the official list.")
        scene, city, place, recording, segment, device = parts
        segments[scene, city, device, recording, place].add(int(segment))
    counted = (
        Take(*key, next(n for n in range(SECONDS + 1) if n == SECONDS or n not in has)) for key, has in segments.items()
    )
    return [take for take in counted if take.clips]


def _known(scene, device):
    return scene in SCENES and device in DEVICES


def _first_clips(name, takes, clips, seed):
    """The first takes of a balanced order; the last of them is cut, so that there are so many clips."""
    available = sum(take.clips for take in takes)
    if available < clips:
        raise UserError(
            f"dataset.splits_folder: {name} has names for {available:,} made-up clips of {clips:,}, at most {SECONDS} "
            "of a recording; lower dataset.train_clips or dataset.test_clips."
        )
    chosen = set()
    order = splits.balanced(takes, seed=seed)
    while clips > 0:
        take = next(order)
        chosen.add(take._replace(clips=min(take.clips, clips)))
        clips -= take.clips
    return chosen


def _locations(takes, split):
    """The locations of the takes; those of one recording are takes of one sound."""
    of_recording = defaultdict(list)
    for take in sorted(takes):
        of_recording[take.scene, take.city, take.place, take.recording].append((take.device, take.clips))
    return [
        Location(int(recording), scene, city, split, tuple(devices), place, recording)
        for (scene, city, place, recording), devices in of_recording.items()
    ]
