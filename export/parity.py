"""Does the int8 file decide as the float network did?

Input:   the logits of several forms of one network on the same clips.   Output: figures and a text table.
"""

import numpy as np

from asc_tf import metrics


def compare(outputs, labels):
    """{name: {"accuracy", "agreement", "largest_change"}} of each form against the first.

    outputs: {name: (clips, classes) logits}, the float network first.  labels: (clips,) class numbers, or None.
    accuracy: share of right clips, absent without labels.  agreement: share of clips with the first form's class.
    largest_change: of a class's probability in any clip.
    Raises ValueError when the forms were not given the same clips, or none.
    """
    first = np.asarray(next(iter(outputs.values())))
    clips = {len(first), *map(len, outputs.values()), len(first if labels is None else labels)}
    if clips == {0} or len(clips) > 1:
        raise ValueError("all forms need the logits of the same clips, at least one")
    return {name: _figures(np.asarray(logits), first, labels) for name, logits in outputs.items()}


def table(figures):
    """The figures of `compare` as text, one line a form."""
    width = max(map(len, figures))
    lines = [f"{'':{width}}  accuracy  agreement  largest change of p"]
    for name, row in figures.items():
        accuracy = f"{row['accuracy']:8.2%}" if "accuracy" in row else f"{'-':>8}"
        lines.append(f"{name:{width}}  {accuracy}  {row['agreement']:9.2%}  {row['largest_change']:19.3f}")
    return "\n".join(lines)


def _figures(logits, first, labels):
    change = np.abs(metrics.softmax(logits) - metrics.softmax(first))
    accuracy = {} if labels is None else {"accuracy": float(np.mean(logits.argmax(axis=1) == np.asarray(labels)))}
    return accuracy | {
        "agreement": float(np.mean(logits.argmax(axis=1) == first.argmax(axis=1))),
        "largest_change": float(change.max()),
    }
