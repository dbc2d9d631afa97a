"""What if a moment is missing? Masks one range of frames in every clip.

Source: torchaudio TimeMasking(max_frames, iid_masks=True): 20 of 100 frames where PaSST is trained on 1-s scenes,
        192 of 1,000 and more in the AudioSet training of PaSST and AST.
fill:   as in freq_mask.
"""

from typing import Literal

from asc_tf.augmentation import _mask

ON = "mel"


def apply(
    batch, seed, *, max_frames: int, fill: float, each: Literal["channel", "clip", "batch"] = "channel", p: float = 1.0
):
    """Sets floor(v) frames from floor(start) to `fill`: v ~ U(0, max_frames), start ~ U(0, frames - v).

    each, p: as in freq_mask.
    """
    mel = batch["mel"]
    _mask.check("time_mask", "frames", max_frames, mel.shape[2], p)
    return batch | {"mel": _mask.drawn(mel, seed, axis=_mask.FRAMES, most=max_frames, fill=fill, each=each, p=p)}
