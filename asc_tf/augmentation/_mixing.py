"""What is true of a clip that two clips were mixed into?

The label is a distribution, in which cross entropy is linear: it is mixed itself. The distance from what a
teacher said, logits or embedding, is not linear in it: all that was said is kept side by side with its shares, so
that the loss is the mixture of the losses at any temperature, however often clips are mixed.
"""

import tensorflow as tf


def targets(batch, pairs, share):
    """The batch with its targets of clips of which `share` (batch,) is themselves, the rest `pairs`.

    "label" (batch, classes) is mixed.  "teacher" and "embedding" (batch, voices, ...) hold twice the voices they
    had, "share" (batch, voices) sums to 1.
    """
    changed = {"label": clips(batch["label"], pairs, share)}
    said = [key for key in batch if key in ("teacher", "embedding")]
    for key in said:
        voices = batch[key] if "share" in batch else batch[key][:, None]
        changed[key] = tf.concat([voices, tf.gather(voices, pairs)], 1)
    if said:
        shares = batch.get("share", tf.ones_like(share)[:, None])
        changed["share"] = tf.concat([share[:, None] * shares, (1 - share[:, None]) * tf.gather(shares, pairs)], 1)
    return batch | changed


def clips(x, pairs, share):
    """share * x + (1 - share) * x[pairs] along the first axis; x of any rank, share (batch,)."""
    share = tf.reshape(share, [-1] + [1] * (x.shape.rank - 1))
    return share * x + (1 - share) * tf.gather(x, pairs)
