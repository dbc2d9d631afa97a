"""Hierarchical loss: cross entropy of groups of classes.

Source: the hierarchical losses of the DCASE 2024 system with DyMN teachers, in its two forms. One branch: a
        group's probability is the sum of its classes'. Two: the groups have a head of their own, in training only.
"""

from collections.abc import Mapping, Sequence

import keras
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


def members(groups: str | Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Table from every group's name to its classes.

    Args:
        groups: hierarchy.groups of a recipe: a preset's name, or such a table.

    Raises:
        UserError: There is no such preset, or the table is not one of lists of names.
    """
    if isinstance(groups, str):
        if groups not in PRESETS:
            raise UserError(f"hierarchy.groups: there is no preset '{groups}'. {nearest(groups, PRESETS)}")
        return PRESETS[groups]
    for group, classes in groups.items():
        if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
            raise UserError(f'hierarchy.groups: {group} must list its classes: {group} = ["...", "..."].')
    return groups


def membership(groups: str | Mapping[str, Sequence[str]], classes: Sequence[str]) -> np.ndarray:
    """Membership matrix (classes, groups) float32, 1 where a class belongs to a group.

    Args:
        groups: As `members` takes them.
        classes: Names of the classes, in the order of the network's outputs.

    Raises:
        UserError: A class is not in exactly one group, or a name in a group is no class.
    """
    table = members(groups)
    named = [name for group in table.values() for name in group]
    for name in named:
        if name not in classes:
            raise UserError(f"hierarchy.groups: '{name}' is not a class. {nearest(name, classes)}")
    for name in classes:
        if named.count(name) != 1:
            raise UserError(
                f"hierarchy.groups: class '{name}' is in {named.count(name)} groups; put it in exactly one."
            )
    return np.array([[name in group for group in table.values()] for name in classes], np.float32)


def log_probabilities(logits: keras.KerasTensor, membership: np.ndarray) -> keras.KerasTensor:
    """Log probabilities of the groups: logarithm of the summed probabilities of each group's classes.

    Args:
        logits: (batch, classes).
        membership: (classes, groups), see `membership`.

    Returns:
        (batch, groups).
    """
    mask = ops.cast(np.where(membership.T > 0, 0.0, -np.inf), logits.dtype)  # (groups, classes)
    of_groups = ops.logsumexp(ops.expand_dims(logits, 1) + mask, axis=-1)
    return of_groups - ops.logsumexp(logits, axis=-1, keepdims=True)


def loss(log_probabilities: keras.KerasTensor, labels: keras.KerasTensor, membership: np.ndarray) -> keras.KerasTensor:
    """Cross entropy of groups.

    Args:
        log_probabilities: (batch, groups).
        labels: (batch, classes) label distributions; a group's target is the sum over its classes.
        membership: (classes, groups).

    Returns:
        (batch,).
    """
    return -ops.sum(ops.matmul(labels, ops.cast(membership, labels.dtype)) * log_probabilities, axis=-1)
