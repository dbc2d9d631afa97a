"""Which settings of log_mel work together?"""

from asc_tf.errors import UserError
from asc_tf.features import _levels, _mel
from asc_tf.features._flavours import FLAVOURS


def ends(*, min_hz, max_hz, min_hz_range, max_hz_range, **_):
    """(min_hz, max_hz) of the bank itself, and of the lowest and the highest bank that training may draw."""
    highest = max_hz + max_hz_range // 2
    return (min_hz, max_hz), (min_hz, highest - max_hz_range + 1), (min_hz + min_hz_range - 1, highest)


def check(*, flavour, sample_rate_hz, window_samples, hop_samples, fft_samples, bands, frames, **settings):
    """UserError where the settings cannot work together."""
    if fft_samples % 2 or not 1 < window_samples <= fft_samples:
        raise UserError(
            f"features/log_mel: fft_samples = {fft_samples} must be even, and window_samples = {window_samples} "
            "from 2 to fft_samples."
        )
    if hop_samples < 1 or bands < 1 or frames < 0:
        raise UserError("features/log_mel: hop_samples and bands must be at least 1, and frames at least 0.")
    _check_range(flavour, sample_rate_hz, **settings)
    _check_level(flavour, **settings)


def _check_range(flavour, sample_rate_hz, *, min_hz, max_hz, min_hz_range, max_hz_range, **_):
    if min_hz_range < 1 or max_hz_range < 1:
        raise UserError("features/log_mel: min_hz_range and max_hz_range must be at least 1, which draws nothing.")
    if (min_hz_range > 1 or max_hz_range > 1) and FLAVOURS[flavour].bank is not _mel.kaldi_bank:
        raise UserError(f'features/log_mel: flavour = "{flavour}" draws no filter banks: leave min_hz_range out.')
    lowest, highest = ends(min_hz=min_hz, max_hz=max_hz, min_hz_range=min_hz_range, max_hz_range=max_hz_range)[1:]
    if not 0 <= min_hz < max_hz <= sample_rate_hz / 2 or highest[1] > sample_rate_hz / 2 or highest[0] >= lowest[1]:
        raise UserError(
            f"features/log_mel: min_hz = {min_hz} and max_hz = {max_hz} must rise from 0 to {sample_rate_hz / 2}, "
            "half of sample_rate_hz, whatever their ranges draw."
        )


def _check_level(flavour, *, reference, top_db, **_):
    if top_db < 0:
        raise UserError(f"features/log_mel: top_db = {top_db} must be 0 (off) or more.")
    if (reference != "one" or top_db) and FLAVOURS[flavour].level is not _levels.decibels:
        raise UserError(f'features/log_mel: flavour = "{flavour}" is not in dB: leave reference and top_db out.')
