"""Chooses groups of clips to hold out, so that every class has about the same share held out."""

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

_SWEEPS = 10


def choose_groups(rows: Iterable[tuple[str, str, str]], *, share: float, seed: int) -> set[str]:
    """Chooses groups of clips with one label each.

    Groups are added and removed while that brings the chosen clips nearer to `share` of each class and of each device
    within a class. Every class has at least one group that is not chosen; a class of two or more groups has at least
    one that is.

    Args:
        rows: (group, class, device) of each clip.
        share: Share of the clips to choose, 0 to 1.
        seed: The same rows, in any order, and the same seed give the same groups.
    """
    counts, groups_of = _counts(rows)
    order = sorted(counts)
    np.random.default_rng(seed).shuffle(order)
    surplus = Counter()  # chosen clips of a stratum less their goal
    for count in counts.values():
        surplus.subtract({stratum: share * clips for stratum, clips in count.items()})
    chosen = set()
    for _ in range(_SWEEPS):
        if not any([_toggle(group, counts, groups_of, chosen, surplus) for group in order]):
            break
    for groups in groups_of.values():
        if groups.isdisjoint(chosen):
            _add_smallest([group for group in order if group in groups], counts, groups_of, chosen)
    return chosen


def choose_clips(files: Sequence[str], labels: Sequence[tuple[str, ...]], *, share: float, seed: int) -> set[str]:
    """Chooses files of clips with several labels each.

    A clip counts for the rarest of its classes, so that these are chosen too. Of the clips of a class, those are chosen
    whose seeded digest is least, at least one of two or more.

    Args:
        files: (clips,) names.
        labels: (clips,) classes of each clip.
        share: Share of the clips to choose, 0 to 1.
        seed: The same clips, in any order, and the same seed give the same files.
    """
    clips_of = Counter(chain.from_iterable(labels))
    rarest = {label: min(label, key=lambda name: (clips_of[name], name)) for label in set(labels)}
    strata = defaultdict(list)
    for file, label in zip(files, labels, strict=True):
        strata[rarest[label]].append((_digest(seed, file), file))
    chosen = set()
    for stratum in strata.values():
        count = max(1, round(share * len(stratum))) if len(stratum) > 1 else 0
        chosen.update(file for _, file in heapq.nsmallest(count, stratum))
    return chosen


def _digest(seed, file):
    return hashlib.blake2b(f"{seed} {file}".encode(errors="surrogateescape"), digest_size=8).digest()


def _toggle(group, counts, groups_of, chosen, surplus):
    """Adds or removes a group where that brings the chosen clips nearer to their goal; whether it did."""
    sign = -1 if group in chosen else 1
    change = {stratum: sign * clips for stratum, clips in counts[group].items()}
    nearer = sum(abs(surplus[s] + n) - abs(surplus[s]) for s, n in change.items()) < -1e-9
    if not nearer or (sign > 0 and not _dispensable(group, counts, groups_of, chosen)):
        return False
    chosen ^= {group}
    surplus.update(change)
    return True


def _counts(rows):
    """(clips of each group by class and by class and device; groups of each class, sorted by class)."""
    counts, groups_of = defaultdict(Counter), defaultdict(set)
    for (group, label, device), clips in Counter(rows).items():
        counts[group].update({(label,): clips, (label, device): clips})
        groups_of[label].add(group)
    return counts, dict(sorted(groups_of.items()))


def _dispensable(group, counts, groups_of, chosen):
    """Whether every class of the group has another one that is not chosen."""
    labels = [stratum[0] for stratum in counts[group] if len(stratum) == 1]
    return all(len(groups_of[label] - chosen - {group}) > 0 for label in labels)


def _add_smallest(groups, counts, groups_of, chosen):
    for group in sorted(groups, key=lambda g: sum(counts[g].values())):
        if _dispensable(group, counts, groups_of, chosen):
            chosen.add(group)
            return
