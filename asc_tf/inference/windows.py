"""Windows of sounds: cut from blocks of samples one after the other, read ahead, and gathered to batches."""

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from asc_tf.errors import UserError

HOPS_S = (0.01, 3600.0)  # between the starts of windows
_Item = TypeVar("_Item")


def sizes(sample_rate_hz: int, segment_s: float, hop_s: float | None) -> tuple[int, int]:
    """Samples in a window, and between the starts of windows; at least 1 each.

    Args:
        sample_rate_hz: Rate of the samples.
        segment_s: Length of a window in seconds.
        hop_s: Seconds between their starts; None for windows that follow each other.

    Raises:
        UserError: hop_s is outside of HOPS_S.
    """
    if hop_s is not None and not HOPS_S[0] <= hop_s <= HOPS_S[1]:
        raise UserError(f"hop_s = {hop_s} must be from {HOPS_S[0]:g} to {HOPS_S[1]:g} seconds.")
    return max(1, round(sample_rate_hz * segment_s)), max(1, round(sample_rate_hz * (hop_s or segment_s)))


def windows(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """The windows of a sound, one after the other: those of which at least half is sound, and always the first.

    With hop = length they are the segments of audio.cut.

    Args:
        blocks: (samples,) float32 each, the sound in parts of any length.
        length: Samples in a window.
        hop: Samples between the starts of windows.

    Yields:
        (length,) float32; what is beyond the end of the sound is 0.
    """
    rest, start, first = np.zeros(0, np.float32), 0, True  # start of the next window in the rest, or behind it
    for block in blocks:
        rest, start = np.concatenate([rest[start:], block]), max(0, start - len(rest))
        while start + length <= len(rest):
            yield rest[start : start + length]
            start, first = start + hop, False
    while first or 2 * (len(rest) - start) >= length:
        window = np.zeros(length, np.float32)
        window[: len(rest) - start] = rest[start : start + length]
        yield window
        start, first = start + hop, False


def grouped(items: Iterator[_Item], size: int) -> Iterator[list[_Item]]:
    """The items in lists of `size`, fewer in the last one.

    Args:
        items: Any.
        size: At least 1.
    """
    while group := list(itertools.islice(items, size)):
        yield group


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The items of an iterator, the next one made in a thread while the one before is used.

    Args:
        items: None of them is None.
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
