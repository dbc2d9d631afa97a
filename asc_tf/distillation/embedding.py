"""Embedding distillation: mean squared error between student and teacher embeddings.

Source: AIT's system, DCASE 2023 Task 1: the mean squared error of 64 hidden values after ReLU, before dropout.
"""

import itertools
from collections.abc import Sequence

import keras
from keras import layers, ops

from asc_tf.errors import UserError, nearest


def loss(student: keras.KerasTensor, teachers: keras.KerasTensor, sizes: Sequence[int]) -> keras.KerasTensor:
    """Mean squared error between the student's and the teachers' embeddings, the mean over the teachers.

    Args:
        student: (batch, sum of sizes): the student's embedding projected to each teacher's size, side by side; or any
            shape that broadcasts.
        teachers: (batch, sum of sizes): the teachers' embeddings, side by side.
        sizes: Size of each teacher's embedding.

    Returns:
        (batch,).
    """
    ends = list(itertools.accumulate(sizes))
    of_teacher = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    errors = [ops.mean(ops.square(student[..., part] - teachers[..., part]), axis=-1) for part in of_teacher]
    return sum(errors) / len(sizes)


def output(network: keras.Model, layer: str, where: str) -> keras.KerasTensor:
    """Symbolic embedding (batch, size): the output of a layer, averaged over bands, frames or patches.

    Args:
        network: A functional network.
        layer: Name of the layer.
        where: The recipe's key that names it, for errors.

    Raises:
        UserError: The network has no such layer, or the layer has no such output.
    """
    known = [other.name for other in network.layers]
    if layer not in known:
        raise UserError(f"{where}: {network.name} has no layer '{layer}'. {nearest(layer, known)}")
    values = network.get_layer(layer).output
    if not hasattr(values, "shape") or len(values.shape) < 2:
        raise UserError(f"{where}: the output of layer '{layer}' is not one tensor (batch, ..., size); name another.")
    return pooled(values)


def pooled(values: keras.KerasTensor) -> keras.KerasTensor:
    """Mean (batch, size) over all axes of (batch, ..., size) between the first and the last."""
    between = tuple(range(1, len(values.shape) - 1))
    return ops.mean(values, axis=between) if between else values


def with_embedding(network: keras.Model, layer: str | None, where: str) -> keras.Model:
    """The network as a model with the outputs {"logits", and "embedding" where a layer is named}.

    Args:
        network: A functional network of one output, the logits.
        layer: Name of the layer whose pooled output is the embedding, or None.
        where: The recipe's key that names it, for errors.
    """
    outputs = {"logits": network.output}
    if layer:
        outputs["embedding"] = output(network, layer, where)
    return keras.Model(network.inputs, outputs)


def projected(embedding: keras.KerasTensor, size: int, name: str) -> keras.KerasTensor:
    """The student's symbolic embedding in a teacher's size: through a trainable dense layer where the sizes differ."""
    return embedding if embedding.shape[-1] == size else layers.Dense(size, name=name)(embedding)
