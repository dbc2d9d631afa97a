"""What if a range of bands is missing? Masks one band range in every clip.

Source: torchaudio FrequencyMasking(max_bands, iid_masks=True): 48 of 256 bands in CP-JKU 2023, jku2024 and the DCASE
        2024 baseline, 48 of 128 in PaSST, DyMN and AST.
fill:   baseline and jku2024 mask the linear mel with 0, which the logarithm makes its floor: ln 1e-5 = -11.512925.
        CP-JKU, PaSST and AST mask the log-mel with 0 before [normalise] scales it: 0.
"""

from typing import Literal

from asc_tf.augmentation import _mask

ON = "mel"


def apply(
    batch, seed, *, max_bands: int, fill: float, each: Literal["channel", "clip", "batch"] = "channel", p: float = 1.0
):
    """Sets floor(v) bands from floor(start) to `fill`: v ~ U(0, max_bands), start ~ U(0, bands - v).

    each: what has a mask of its own: "channel" as in torchaudio, "clip", or "batch" as in its versions before 0.12.
    p:    share of the masks that are applied.
    """
    mel = batch["mel"]
    _mask.check("freq_mask", "bands", max_bands, mel.shape[1], p)
    return batch | {"mel": _mask.drawn(mel, seed, axis=_mask.BANDS, most=max_bands, fill=fill, each=each, p=p)}
