"""Mask of one range of bands in every clip.

Source: torchaudio FrequencyMasking(max_bands, iid_masks=True): 48 of 256 bands in CP-JKU 2023, jku2024 and the DCASE
        2024 baseline, 48 of 128 in PaSST, DyMN and AST.
fill:   baseline and jku2024 mask the linear mel with 0, which the logarithm makes its floor: ln 1e-5 = -11.512925.
        CP-JKU, PaSST and AST mask the log-mel with 0 before [normalise] scales it: 0.
"""

from typing import Annotated

import tensorflow as tf

from asc_tf.augmentation import _mask
from asc_tf.recipe.registry import Allowed

ON = "mel"


def apply(
    batch: dict[str, tf.Tensor],
    seed: tf.Tensor,
    *,
    max_bands: Annotated[int, Allowed(0)],
    fill: float,
    each: _mask.Each = "channel",
    p: Annotated[float, Allowed(0, 1)] = 1.0,
) -> dict[str, tf.Tensor]:
    """Masks floor(v) bands from floor(start): v ~ U(0, max_bands), start ~ U(0, bands - v).

    Args:
        batch: See the package.
        seed: (2,) int32.
        max_bands: Above every drawn width; at most the bands.
        fill: Value of the masked cells.
        each: Every "channel" draws one mask, as in torchaudio; every "clip"; or the whole "batch", as in torchaudio
            before 0.12.
        p: Share of the masks that are applied.

    Returns:
        The batch with another "mel".

    Raises:
        UserError: A setting out of range.
    """
    mel = batch["mel"]
    _mask.check("freq_mask", "bands", max_bands, mel.shape[1], p)
    masked = _mask.random_mask(mel, seed, axis=_mask.BANDS, max_width=max_bands, fill=fill, each=each, p=p)
    return batch | {"mel": masked}
