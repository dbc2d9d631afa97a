"""Scores of sounds of any length, window by window, in bounded memory: windows of several sounds share a batch."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asc_tf.data import audio
from asc_tf.data.sound_files import SoundFiles
from asc_tf.errors import UserError
from asc_tf.inference import windows
from asc_tf.inference.scorer import Scorer, Scores


class Prediction(NamedTuple):
    """Scores of consecutive windows of a file, or of all of them.

    Args:
        file: The file, as it was named.
        start_s: (windows,) start of each window in seconds.
        probabilities: (windows, classes) float64.
        embeddings: (windows, size) float32, or None.
        ended: Whether the file ends here.
        notes: Where it ends: what is unusual in the file, a phrase each.
        error: Where it ends: why the file cannot be read, or not to its end; None where it was read.
    """

    file: str
    start_s: np.ndarray
    probabilities: np.ndarray
    embeddings: np.ndarray | None
    ended: bool = False
    notes: tuple[str, ...] = ()
    error: UserError | None = None


class _Piece(NamedTuple):
    """Windows of a file in a batch: number of the first one in the file, count, and what Prediction has of an end."""

    file: str
    first: int
    count: int
    end: tuple = ()


def score_files(scorer: Scorer, files: SoundFiles, *, hop_s: float | None = None) -> Iterator[Prediction]:
    """Scores of audio files, in order. The next batch is read while one is scored.

    Args:
        scorer: Computes the scores.
        files: Audio files of any rate, length and channel count.
        hop_s: Seconds between the starts of windows; None for windows that follow each other.

    Yields:
        Parts of at most scorer.batch_size windows, at least one of every file.

    Raises:
        UserError: hop_s is out of range.
    """
    spacing_s = scorer.spacing_s(hop_s)
    for pieces, waves in windows.ahead(_batches(scorer, files, hop_s)):
        scores = scorer.score(waves) if waves else Scores(np.zeros((0, len(scorer.labels))))
        end = 0
        for piece in pieces:
            begin, end = end, end + piece.count
            starts = spacing_s * np.arange(piece.first, piece.first + piece.count)
            yield Prediction(piece.file, starts, *_rows(scores, begin, end), *piece.end)


def by_file(parts: Iterable[Prediction]) -> Iterator[Prediction]:
    """The parts of every file joined to one; of a file with an error the last part alone.

    Args:
        parts: Of `score_files`.
    """
    pending = []
    for part in parts:
        pending.append(part)
        if part.ended:
            yield part if part.error or len(pending) == 1 else _joined(pending)
            pending = []


def score_sound(
    scorer: Scorer, sound: np.ndarray | str | Path, rate_hz: int | None = None, *, hop_s: float | None = None
) -> Scores:
    """Scores of all windows of one sound.

    Args:
        scorer: Computes the scores.
        sound: An audio file, or samples (samples,) or (samples, channels), full scale 1.
        rate_hz: Of samples; files have their own.
        hop_s: As of `score_files`.

    Raises:
        UserError: The file cannot be read; samples are integers, empty or not finite, or their rate is missing.
    """
    if isinstance(sound, str | Path):
        blocks = functools.partial(_blocks, sound, [], {})
    else:
        samples = checked_samples(sound, rate_hz)
        blocks = functools.partial(_resampled, samples, rate_hz)
    groups = windows.grouped(windows_of(scorer, blocks, hop_s), scorer.batch_size)
    scores = [scorer.score(waves) for waves in windows.ahead(map(_stacked, groups))]
    return Scores(*map(_concatenated, zip(*scores, strict=True)))


def checked_samples(samples: np.ndarray, rate_hz: int | None) -> np.ndarray:
    """Mono float32 samples (samples,).

    Args:
        samples: (samples,) or (samples, channels), full scale 1.
        rate_hz: Their rate.

    Raises:
        UserError: They are integers, empty or not finite, or the rate is missing.
    """
    if rate_hz is None:
        raise UserError("samples need their sample_rate_hz; only files have their own.")
    if np.issubdtype(np.asarray(samples).dtype, np.integer):
        raise UserError("samples must be floats, full scale 1; divide 16-bit integers by 32768.")
    samples = np.asarray(samples, np.float32)
    if samples.ndim == 2:
        samples = samples.mean(axis=1, dtype=np.float32)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise UserError("samples must be (samples,) or (samples, channels), at least one, all of them finite.")
    return samples


def _batches(scorer: Scorer, files: SoundFiles, hop_s: float | None) -> Iterator[tuple[list[_Piece], list[np.ndarray]]]:
    """Batches of windows, and which files they are of."""
    pieces, rows = [], []
    for file in files.files:
        first, start, notes, error = 0, len(rows), [], None
        try:
            for window in windows_of(scorer, functools.partial(_blocks, file, notes, files.errors), hop_s):
                rows.append(window)
                if len(rows) == scorer.batch_size:
                    yield [*pieces, _Piece(file, first, len(rows) - start)], _stacked(rows)
                    first += len(rows) - start
                    pieces, rows, start = [], [], 0
        except UserError as fault:
            error = fault
        pieces.append(_Piece(file, first, len(rows) - start, (True, tuple(notes), error)))
    yield pieces, _stacked(rows)


def windows_of(
    scorer: Scorer, blocks: Callable[[int], Iterator[np.ndarray]], hop_s: float | None
) -> Iterator[tuple[np.ndarray, ...]]:
    """Windows of a sound, each at all rates of a scorer.

    Args:
        scorer: That is to score them.
        blocks: Function from a rate to the sound at it, (samples,) float32 each.
        hop_s: As of `score_files`.

    Yields:
        (samples,) float32 at each rate.
    """
    every = [
        windows.windows(blocks(to_hz), *windows.sizes(to_hz, scorer.segment_s, hop_s)) for to_hz in scorer.rates_hz
    ]
    # Not strict: half a window more or less may be rounded differently at two rates.
    return zip(*every, strict=False)


def _resampled(samples, rate_hz, to_hz):
    return iter([audio.resample(samples, rate_hz, to_hz)])


def _blocks(file, notes, errors, to_hz):
    """The samples of a file at a rate, block by block; what is unusual is added to the notes."""
    if file in errors:
        raise errors[file]
    try:
        with audio.Recording(file) as recording:
            yield from recording.blocks(to_hz)
            notes[:] = recording.notes
    except UserError:
        raise
    except Exception as error:  # one file never stops the others
        raise audio.UnreadableAudio(file, f"cannot be read ({type(error).__name__}: {error})") from error


def _stacked(rows: Sequence[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """(windows, samples) at every rate; an empty list without windows."""
    return [np.stack(waves) for waves in zip(*rows, strict=True)]


def _rows(scores, begin, end):
    return [None if values is None else values[begin:end] for values in scores]


def _joined(parts):
    columns = zip(*(part[1:4] for part in parts if len(part.start_s)), strict=True)
    return Prediction(parts[-1].file, *(_concatenated(values) for values in columns), *parts[-1][4:])


def _concatenated(values):
    return None if values[0] is None else np.concatenate(values)
