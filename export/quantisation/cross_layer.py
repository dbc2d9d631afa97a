"""Equalisation of the channels between a batch norm and the depthwise convolution that reads it.

Source:  Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019, for layers
         without an activation between them; the sizes are measured instead of inferred from the weights.
One scale rounds all channels of an activation, so small channels lose most.  Divided by its size in the batch norm,
every channel is rounded alike, and the depthwise kernel, which has a scale for each channel, multiplies by it again.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from asc_tf.export.quantisation import graph_form as _form

PASSED = (layers.ZeroPadding2D, layers.Reshape, layers.Permute)  # keep values, in another order or place
SMALLEST_SIZE = 1e-3


def equalise(network: tf_keras.Model, batches: Sequence[np.ndarray | tf.Tensor]) -> None:
    """Makes the channels of batch norms equally large where a depthwise convolution alone reads them.

    The network's outputs stay as they were.

    Args:
        network: Float network in its quantisable form, functional; changed in place.
        batches: Spectrograms, each (clips, bands, frames, channels) float32.
    """
    found = chains(network)
    if not found:
        return
    part = tf_keras.Model(network.inputs, [norm.output for norm, *_ in found])

    @tf.function(reduce_retracing=True)
    def largest(x):
        return [tf.reduce_max(tf.abs(y), (0, 1, 2)) for y in tf.nest.flatten(part(x, training=False))]

    of_batches = [largest(tf.convert_to_tensor(x, tf.float32)) for x in batches]
    for chain, of_norm in zip(found, zip(*of_batches, strict=True), strict=True):
        _move(*chain, sizes=np.maximum(np.max(of_norm, axis=0), SMALLEST_SIZE))


def chains(network: tf_keras.Model) -> list[list[layers.Layer]]:
    """[[batch norm, layers that rearrange or pad, depthwise convolution], ...] that are equalised.

    Each layer is the only reader of the one before.

    Args:
        network: Float network, functional.
    """
    return [chain for norm in network.layers if (chain := _chain(network, norm))]


def _chain(network, norm):
    """The chain from a batch norm; empty where there is none."""
    if not isinstance(norm, layers.BatchNormalization):
        return []
    chain = [norm]
    while len(following := _form.readers(network, chain[-1])) == 1:
        chain += following
        if not isinstance(chain[-1], PASSED):
            break
    return chain if isinstance(chain[-1], layers.DepthwiseConv2D) else []


def _move(norm, *between_and_depthwise, sizes):
    """Divides a batch norm by sizes (channels,), and multiplies the kernel of the last layer of its chain by them."""
    *between, depthwise = between_and_depthwise
    gamma, beta, *statistics = norm.get_weights()
    norm.set_weights([gamma / sizes, beta / sizes, *statistics])
    values = tf.broadcast_to(tf.cast(sizes, tf.float32), (1, *norm.output.shape[1:]))
    for layer in between:
        values = layer(values)  # zeros where it pads
    kernel, *bias = depthwise.get_weights()
    depthwise.set_weights([kernel * np.max(values, axis=(0, 1, 2))[:, np.newaxis], *bias])
