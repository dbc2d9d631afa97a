"""Mixtures of clips and of their targets.

The label is a distribution, in which cross entropy is linear: labels are mixed themselves. The distance from a
teacher's logits or embedding is not linear in them: those of all components stay side by side with their shares, so
that the loss is the mixture of the losses at any temperature, however often clips are mixed.
"""

import tensorflow as tf


def mixed_targets(batch: dict[str, tf.Tensor], pairs: tf.Tensor, share: tf.Tensor) -> dict[str, tf.Tensor]:
    """A batch with the targets of clips that were mixed in pairs.

    Args:
        batch: "label" (batch, classes); where there are teachers "teacher" and "embedding" (batch, ...), or
            (batch, components, ...) and "share" (batch, components) where clips were mixed before.
        pairs: (batch,) indices of the other clips.
        share: (batch,) share of the clip itself, from 0 to 1.

    Returns:
        The batch with mixed labels, twice the components in each teacher's targets, and a "share" that sums to 1.
    """
    changed = {"label": mixed(batch["label"], pairs, share)}
    teacher_keys = [key for key in batch if key in ("teacher", "embedding")]
    for key in teacher_keys:
        components = batch[key] if "share" in batch else batch[key][:, None]
        changed[key] = tf.concat([components, tf.gather(components, pairs)], 1)
    if teacher_keys:
        shares = batch.get("share", tf.ones_like(share)[:, None])
        changed["share"] = tf.concat([share[:, None] * shares, (1 - share[:, None]) * tf.gather(shares, pairs)], 1)
    return batch | changed


def mixed(x: tf.Tensor, pairs: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """share * x + (1 - share) * x[pairs] along the first axis.

    Args:
        x: (batch, ...).
        pairs: (batch,) indices.
        share: (batch,).

    Returns:
        The shape of x.
    """
    share = tf.reshape(share, [-1] + [1] * (x.shape.rank - 1))
    return share * x + (1 - share) * tf.gather(x, pairs)
