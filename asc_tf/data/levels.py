"""Checks that samples are numbers of full scale 1, and that something is left of the channels in their mean."""

import numpy as np

LOUDEST = 8.0  # 18 dB above full scale: floats beyond are not of full scale 1, but integers of 16 bits for example
CANCELLED = 0.01  # 40 dB: a mean of the channels that is so far below them is what is left of inverted copies
_MOST_CHANNELS = 1024  # of libsndfile


class Levels:
    """Peak and power of audio whose blocks come one after the other.

    Attributes:
        frames: Samples of a channel up to here.
    """

    def __init__(self):
        self.frames, self._peak = 0, 0.0
        self._power, self._mean_power = np.zeros(_MOST_CHANNELS), 0.0

    def add(self, block: np.ndarray, mean: np.ndarray) -> str | None:
        """Takes a block.

        Args:
            block: (samples, channels) float32.
            mean: (samples,) mean of the clipped channels.

        Returns:
            What is wrong with the numbers of the audio up to here; None for nothing.
        """
        self.frames += len(block)
        self._peak = float(np.max([self._peak, block.max(), -block.min()]))  # NaN where one is
        if fault := fault_of(self._peak, 0.0, 0.0):
            return fault
        self._power[: block.shape[1]] += np.einsum("sc,sc->c", block, block, dtype=np.float64)
        self._mean_power += np.einsum("s,s->", mean, mean, dtype=np.float64)
        return None

    def fault(self) -> str | None:
        """What is wrong with the whole audio; None for nothing."""
        powers = np.array([self._power.max(), self._mean_power]) / max(1, self.frames)
        return fault_of(self._peak, *np.sqrt(powers))

    def notes(self) -> list[str]:
        """What is unusual about the whole audio."""
        if not self._peak:
            return ["digital silence"]
        if self._peak < 0.5 / 32768:
            return ["quieter than half a step of 16 bits"]
        return ["clipped at full scale"] if self._peak > 1 else []


def fault_of(peak: float, channel_rms: float, mean_rms: float) -> str | None:
    """What is wrong with the levels of audio; None for nothing.

    Args:
        peak: Largest absolute value in any channel.
        channel_rms: Root of the mean square of the loudest channel.
        mean_rms: That of the mean of the channels.
    """
    if not np.isfinite([peak, channel_rms, mean_rms]).all():
        return "samples that are NaN or infinite"
    if peak > LOUDEST:
        fix = "divide them so that full scale is 1 (16-bit integers by 32,768)"
        return f"samples up to {peak:,.0f} times full scale; {fix}"
    if mean_rms < CANCELLED * channel_rms:
        return "channels that cancel each other in their mean; save one of them"
    return None
