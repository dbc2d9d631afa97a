"""Which groups of clips are held out, so that every class gives about the same share?"""

import hashlib
import heapq
from collections import Counter, defaultdict
from itertools import chain

import numpy as np

_SWEEPS = 10


def choose(rows, *, share, seed):
    """The groups to hold out: a set, the same for the same rows and seed, whatever the order of the rows.

    rows: (group, class, device) of each clip.  Groups are taken, and given back, while that brings the
    held-out clips nearer to `share` of each class and of each device within a class.  No class loses its
    last group; a class with two or more gives at least one.
    """
    counts, of_class = _counts(rows)
    order = sorted(counts)
    np.random.default_rng(seed).shuffle(order)
    surplus = Counter()
    for count in counts.values():
        surplus.subtract({stratum: share * clips for stratum, clips in count.items()})
    held = set()
    for _ in range(_SWEEPS):
        if not any([_moved(group, counts, of_class, held, surplus) for group in order]):
            break
    for groups in of_class.values():
        if groups.isdisjoint(held):
            _add_smallest([group for group in order if group in groups], counts, of_class, held)
    return held


def choose_clips(files, labels, *, share, seed):
    """The files to hold out of clips with several labels each: a set, the same for the same seed in any order.

    labels: (clips,) tuples of classes.  A clip counts for the rarest of its classes, so that these are held out
    too; of each, the files whose seeded digest is least, at least one of two or more.
    """
    clips_of = Counter(chain.from_iterable(labels))
    rarest = {label: min(label, key=lambda name: (clips_of[name], name)) for label in set(labels)}
    strata = defaultdict(list)
    for file, label in zip(files, labels, strict=True):
        strata[rarest[label]].append((_digest(seed, file), file))
    held = set()
    for stratum in strata.values():
        count = max(1, round(share * len(stratum))) if len(stratum) > 1 else 0
        held.update(file for _, file in heapq.nsmallest(count, stratum))
    return held


def _digest(seed, file):
    return hashlib.blake2b(f"{seed} {file}".encode(errors="surrogateescape"), digest_size=8).digest()


def _moved(group, counts, of_class, held, surplus):
    """Takes a group or gives it back where the held-out clips come nearer to their goal by that."""
    sign = -1 if group in held else 1
    change = {stratum: sign * clips for stratum, clips in counts[group].items()}
    nearer = sum(abs(surplus[s] + n) - abs(surplus[s]) for s, n in change.items()) < -1e-9
    if not nearer or (sign > 0 and not _spared(group, counts, of_class, held)):
        return False
    held ^= {group}
    surplus.update(change)
    return True


def _counts(rows):
    """(clips of each group by class and by class and device; groups of each class, sorted by class)."""
    counts, of_class = defaultdict(Counter), defaultdict(set)
    for (group, label, device), clips in Counter(rows).items():
        counts[group].update({(label,): clips, (label, device): clips})
        of_class[label].add(group)
    return counts, dict(sorted(of_class.items()))


def _spared(group, counts, of_class, held):
    """Whether every class of the group keeps another one."""
    labels = [stratum[0] for stratum in counts[group] if len(stratum) == 1]
    return all(len(of_class[label] - held - {group}) > 0 for label in labels)


def _add_smallest(groups, counts, of_class, held):
    for group in sorted(groups, key=lambda g: sum(counts[g].values())):
        if _spared(group, counts, of_class, held):
            held.add(group)
            return
