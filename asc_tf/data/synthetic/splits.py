"""Nested training splits of 5 to 100 % of the synthetic scenes, drawn as those of DCASE 2024 Task 1.

A split has whole recordings and about the same shares of scenes, cities and devices as the whole training split.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from asc_tf.data.synthetic.places import Location

SHARES = {"split5": 0.05, "split10": 0.1, "split25": 0.25, "split50": 0.5, "split100": 1.0}  # of the training clips


class Take(NamedTuple):
    """A recording by one device.

    Args:
        scene: Its label.
        city: Its city.
        device: Its device.
        recording: Name of the recording, which takes of several devices share.
        place: Of the recording within the city.
        clips: Clips of a second that it has.
    """

    scene: str
    city: str
    device: str
    recording: str
    place: str
    clips: int


def takes(locations: Sequence[Location], split: str) -> list[Take]:
    """The takes of "train" or "test", in the order of the locations."""
    return [
        Take(at.scene, at.city, device, at.recording, at.place, seconds)
        for at in locations
        if at.split == split
        for device, seconds in at.takes
    ]


def nested(takes: Sequence[Take], *, shares: Mapping[str, float], seed: int) -> dict[str, set[Take]]:
    """Draws splits of which the smaller ones are parts of the larger ones.

    Args:
        takes: Those of the training split.
        shares: Share of the clips of each split, above 0 and at most 1.
        seed: The same takes and the same seed give the same splits.

    Returns:
        {split: its takes}; each is the shortest beginning of one balanced order that has its share of the clips.
    """
    order = list(balanced(takes, seed=seed))
    ends = np.cumsum([take.clips for take in order])
    return {
        name: set(order[: 1 + int(np.searchsorted(ends, share * ends[-1] - 0.5))]) for name, share in shares.items()
    }


def balanced(takes: Sequence[Take], *, seed: int) -> Iterator[Take]:
    """Yields takes in an order of which every beginning has about the whole's shares of scenes, cities and devices.

    Args:
        takes: The takes.
        seed: The same takes and the same seed give the same order.

    Yields:
        Each take once.
    """
    shuffled = [takes[index] for index in np.random.default_rng(seed).permutation(len(takes))]
    counts, shares = _counts(shuffled)
    queues = defaultdict(deque)  # takes that differ in neither scene, city nor device
    for index, take in enumerate(shuffled):
        queues[take[:3]].append(index)
    candidates, total = [queue.popleft() for queue in queues.values()], np.zeros(len(shares))
    while candidates:
        index = candidates.pop(_nearest(total + counts[candidates], shares))
        total = total + counts[index]
        yield shuffled[index]
        if queue := queues[shuffled[index][:3]]:
            candidates.append(queue.popleft())


def _counts(takes):
    """((takes, strata) clips of each scene, city and device; (strata,) their shares of all clips)."""
    names = sorted({name for take in takes for name in take[:3]})
    counts = np.array([[take.clips * (name in take[:3]) for name in names] for take in takes], float)
    return counts, counts.sum(axis=0) / sum(take.clips for take in takes)


def _nearest(totals, shares):
    """Index of the totals (candidates, strata) with the least squared distance from the shares, relative to them."""
    goals = shares * totals.sum(axis=1, keepdims=True) / 3  # a clip is of three strata
    return int(np.argmin(((totals - goals) ** 2 / shares).sum(axis=1)))
