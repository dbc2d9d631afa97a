"""Mask of one range of frames in every clip.

Source: torchaudio TimeMasking(max_frames, iid_masks=True): 20 of 100 frames where PaSST is trained on 1-s scenes,
        192 of 1,000 and more in the AudioSet training of PaSST and AST.
fill:   as in freq_mask.
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
    max_frames: Annotated[int, Allowed(0)],
    fill: float,
    each: _mask.Each = "channel",
    p: Annotated[float, Allowed(0, 1)] = 1.0,
) -> dict[str, tf.Tensor]:
    """Masks floor(v) frames from floor(start): v ~ U(0, max_frames), start ~ U(0, frames - v).

    Args:
        batch: See the package.
        seed: (2,) int32.
        max_frames: Above every drawn width; at most the frames.
        fill: Value of the masked cells.
        each: As in freq_mask.
        p: Share of the masks that are applied.

    Returns:
        The batch with another "mel".

    Raises:
        UserError: A setting out of range.
    """
    mel = batch["mel"]
    _mask.check("time_mask", "frames", max_frames, mel.shape[2], p)
    masked = _mask.random_mask(mel, seed, axis=_mask.FRAMES, max_width=max_frames, fill=fill, each=each, p=p)
    return batch | {"mel": masked}
