"""Progress bars on stderr, in plain text and rarely updated where stderr is a file."""

import sys

from tqdm import tqdm


def progress_bar(
    description: str, *, total: int | None, unit: str, initial: int = 0, unit_scale: bool = False, disable: bool = False
) -> tqdm:
    """A progress bar to be used in a `with` block; `update(count)` moves it.

    Args:
        description: Text before the bar.
        total: Count at the end; None if unknown.
        unit: Word after the counts.
        initial: Count at the start.
        unit_scale: Whether to write counts as 12.3M.
        disable: No bar.
    """
    interval_s = 0.1 if sys.stderr.isatty() else 30
    return tqdm(
        desc=description,
        total=total,
        unit=unit,
        initial=initial,
        unit_scale=unit_scale,
        disable=disable,
        ascii=True,
        mininterval=interval_s,
        maxinterval=max(10, interval_s),
    )
