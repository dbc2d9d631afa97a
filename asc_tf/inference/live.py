"""Scores of a sound while it is recorded, window by window, equal to those of the whole recording."""

import importlib
import itertools
import queue
from collections import deque
from collections.abc import Iterator

import numpy as np

from asc_tf.data import audio
from asc_tf.errors import UserError
from asc_tf.inference import sounds, windows
from asc_tf.inference.scorer import Scorer

BLOCK_S = 0.1  # of the microphone
BEHIND_S = 10.0  # sound that waits to be scored


def score_stream(
    scorer: Scorer, blocks: Iterator[np.ndarray], rate_hz: int, *, hop_s: float | None = None
) -> Iterator[np.ndarray]:
    """Probabilities of each window of a sound, as soon as its samples are there.

    Args:
        scorer: Computes them.
        blocks: (samples,) float32 each, of any length, full scale 1.
        rate_hz: Rate of the samples.
        hop_s: Seconds between the starts of windows; None for windows that follow each other.

    Yields:
        (classes,) float64, as of sounds.score_sound of the joined blocks.

    Raises:
        UserError: hop_s is out of range.
    """
    copies = dict(zip(scorer.rates_hz, itertools.tee(blocks, len(scorer.rates_hz)), strict=True))

    def resampled(to_hz):
        return audio.resampled(copies[to_hz], rate_hz, to_hz)

    for waves in sounds.windows_of(scorer, resampled, hop_s):
        yield scorer.score([wave[np.newaxis] for wave in waves]).probabilities[0]


def smoothed(probabilities: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Means of the last windows.

    Args:
        probabilities: (classes,) of each window.
        count: Number of windows in a mean, at least 1; the first means are of those that there are.
    """
    last = deque(maxlen=count)
    for row in probabilities:
        last.append(row)
        yield np.mean(last, axis=0)


def warm_up(scorer: Scorer) -> None:
    """Scores a silent window, which loads and traces what the first window needs.

    Args:
        scorer: To be used for a stream.
    """
    sizes = [windows.sizes(rate_hz, scorer.segment_s, None)[0] for rate_hz in scorer.rates_hz]
    scorer.score([np.zeros((1, size), np.float32) for size in sizes])


def microphone(rate_hz: int) -> Iterator[np.ndarray]:
    """The samples of the system's input, without an end.

    Args:
        rate_hz: Rate at which it records.

    Yields:
        (samples,) float32 of BLOCK_S, one channel, clipped at full scale.

    Raises:
        UserError: The package sounddevice is not installed, there is no input of that rate, or more than BEHIND_S of
            sound wait to be taken.
    """
    try:
        sounddevice = importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:  # OSError: its library PortAudio is not there
        raise UserError(
            "the microphone needs sounddevice and PortAudio: pip install 'asc_tf[live]', on Linux also the system's "
            "package libportaudio2; or name a file by --wav."
        ) from error
    blocks = queue.SimpleQueue()
    settings = {"samplerate": rate_hz, "channels": 1, "dtype": "float32", "blocksize": round(BLOCK_S * rate_hz)}
    try:
        with sounddevice.InputStream(callback=lambda block, *_: blocks.put(block[:, 0].copy()), **settings):
            while True:
                yield np.clip(blocks.get(), -1, 1)
                if blocks.qsize() * BLOCK_S > BEHIND_S:
                    raise UserError("the network is slower than the sound: choose a longer --hop_s, or --tflite.")
    except sounddevice.PortAudioError as error:
        raise UserError(f"the microphone cannot be opened at {rate_hz} Hz: {error}.") from error
