"""Which classes belong together, and how surely does a network know the group?

Source: the hierarchical losses of the DCASE 2024 system with DyMN teachers, in its two forms. One branch: a
        group's probability is the sum of its classes'. Two: the groups have a head of their own, thrown away after.
"""

import numpy as np
from keras import ops

from asc_tf.errors import UserError, nearest

PRESETS = {
    "tau": {
        "indoor": ("airport", "metro_station", "shopping_mall"),
        "outdoor": ("park", "public_square", "street_pedestrian", "street_traffic"),
        "transportation": ("bus", "metro", "tram"),
    }
}


def members(groups):
    """{group: its classes} of a recipe's hierarchy.groups: a preset's name or such a table itself."""
    if isinstance(groups, str):
        if groups not in PRESETS:
            raise UserError(f"hierarchy.groups: there is no preset '{groups}'. {nearest(groups, PRESETS)}")
        return PRESETS[groups]
    for group, classes in groups.items():
        if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
            raise UserError(f'hierarchy.groups: {group} must list its classes: {group} = ["...", "..."].')
    return groups


def membership(groups, classes):
    """(classes, groups) float32, 1 where a class belongs to a group.

    groups: as `members` takes them.  classes: names in the order of the network's outputs.
    Raises UserError unless every class is in exactly one group and every name in a group is a class.
    """
    table = members(groups)
    named = [name for own in table.values() for name in own]
    for name in named:
        if name not in classes:
            raise UserError(f"hierarchy.groups: '{name}' is not a class. {nearest(name, classes)}")
    for name in classes:
        if named.count(name) != 1:
            raise UserError(
                f"hierarchy.groups: class '{name}' is in {named.count(name)} groups; put it in exactly one."
            )
    return np.array([[name in own for own in table.values()] for name in classes], np.float32)


def log_probabilities(logits, membership):
    """(batch, groups): logarithm of the summed probabilities of each group's classes, of (batch, classes) logits."""
    apart = ops.cast(np.where(membership.T > 0, 0.0, -np.inf), logits.dtype)  # (groups, classes)
    own = ops.logsumexp(ops.expand_dims(logits, 1) + apart, axis=-1)
    return own - ops.logsumexp(logits, axis=-1, keepdims=True)


def loss(log_probabilities, labels, membership):
    """Cross entropy of groups with the groups' shares in (batch, classes) label distributions.  Returns (batch,)."""
    return -ops.sum(ops.matmul(labels, ops.cast(membership, labels.dtype)) * log_probabilities, axis=-1)
