"""What is true of a clip that two clips were mixed into?

The label is a distribution, in which cross entropy is linear: it is mixed itself. The distance from a
teacher is not linear in its logits: they are kept side by side with their shares, so that the loss is
the mixture of the losses at any temperature, however often clips are mixed.
"""

import tensorflow as tf


def targets(batch, pairs, share):
    """The batch with label, "teacher" and "share" of clips of which `share` (batch,) is themselves, the rest `pairs`.

    "teacher" (batch, voices, classes) logits holds twice the voices it had, "share" (batch, voices) sums to 1.
    """
    changed = {"label": clips(batch["label"], pairs, share)}
    if "teacher" in batch:
        teacher, shares = _voices(batch, share)
        changed["teacher"] = tf.concat([teacher, tf.gather(teacher, pairs)], 1)
        changed["share"] = tf.concat([share[:, None] * shares, (1 - share[:, None]) * tf.gather(shares, pairs)], 1)
    return batch | changed


def clips(x, pairs, share):
    """share * x + (1 - share) * x[pairs] along the first axis; x of any rank, share (batch,)."""
    share = tf.reshape(share, [-1] + [1] * (x.shape.rank - 1))
    return share * x + (1 - share) * tf.gather(x, pairs)


def _voices(batch, share):
    if "share" in batch:
        return batch["teacher"], batch["share"]
    return batch["teacher"][:, None], tf.ones_like(share)[:, None]
