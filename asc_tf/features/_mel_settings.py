"""Settings of log_mel, and their checks."""

from typing import TypedDict

from asc_tf.errors import UserError
from asc_tf.features import _levels, _mel
from asc_tf.features._flavours import FLAVOURS


class MelSettings(TypedDict):
    """The arguments of log_mel.build."""

    flavour: str
    sample_rate_hz: int
    window_samples: int
    hop_samples: int
    fft_samples: int
    bands: int
    min_hz: float
    max_hz: float
    min_hz_range: int
    max_hz_range: int
    reference: str
    top_db: float
    frames: int
    deltas: str


def limits_hz(settings: MelSettings) -> tuple[tuple[float, float], ...]:
    """(min_hz, max_hz) of the bank itself, then of the lowest and of the highest bank that training may draw."""
    low, high = settings["min_hz"], settings["max_hz"]
    highest = high + settings["max_hz_range"] // 2
    lowest_bank = (low, highest - settings["max_hz_range"] + 1)
    return (low, high), lowest_bank, (low + settings["min_hz_range"] - 1, highest)


def check(settings: MelSettings) -> None:
    """Raises UserError where the settings do not fit together."""
    window, fft = settings["window_samples"], settings["fft_samples"]
    if fft % 2 or not 1 < window <= fft:
        raise UserError(
            f"features/log_mel: fft_samples = {fft} must be even, and window_samples = {window} from 2 to fft_samples."
        )
    if settings["hop_samples"] < 1 or settings["bands"] < 1 or settings["frames"] < 0:
        raise UserError("features/log_mel: hop_samples and bands must be at least 1, and frames at least 0.")
    _check_range(settings)
    _check_level(settings)


def _check_range(settings):
    flavour, ranges = settings["flavour"], (settings["min_hz_range"], settings["max_hz_range"])
    if min(ranges) < 1:
        raise UserError("features/log_mel: min_hz_range and max_hz_range must be at least 1, which draws nothing.")
    if max(ranges) > 1 and FLAVOURS[flavour].bank is not _mel.kaldi_bank:
        raise UserError(f'features/log_mel: flavour = "{flavour}" draws no filter banks: leave min_hz_range out.')
    (min_hz, max_hz), lowest, highest = limits_hz(settings)
    nyquist_hz = settings["sample_rate_hz"] / 2
    if not 0 <= min_hz < max_hz <= nyquist_hz or highest[1] > nyquist_hz or highest[0] >= lowest[1]:
        raise UserError(
            f"features/log_mel: min_hz = {min_hz} and max_hz = {max_hz} must rise from 0 to {nyquist_hz}, "
            "half of sample_rate_hz, whatever their ranges draw."
        )


def _check_level(settings):
    flavour, top_db = settings["flavour"], settings["top_db"]
    if top_db < 0:
        raise UserError(f"features/log_mel: top_db = {top_db} must be 0 (off) or more.")
    if (settings["reference"] != "one" or top_db) and FLAVOURS[flavour].level is not _levels.decibels:
        raise UserError(f'features/log_mel: flavour = "{flavour}" is not in dB: leave reference and top_db out.')
