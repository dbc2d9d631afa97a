"""Equalisation of the channels before depthwise convolutions."""

import keras
import numpy as np
from keras import layers

from asc_tf.export.quantisation import cross_layer
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.models import _torch_defaults


def test_channels_are_equally_large_and_the_outputs_as_before():
    network = to_tf_keras(_network())
    x = np.random.default_rng(1).normal(size=(8, 6, 5, 2)).astype("f")
    before = network(x).numpy()
    assert [[layer.name for layer in chain] for chain in cross_layer.chains(network)] == [
        ["norm", "shuffle_groups", "shuffle_permute", "shuffle", "pad", "depthwise"]
    ]
    cross_layer.equalise(network, [x[:4], x[4:]])
    np.testing.assert_allclose(network(x), before, rtol=1e-4, atol=1e-5)
    part = keras.tree.map_structure(np.array, network.get_layer("conv")(x))
    np.testing.assert_allclose(np.abs(network.get_layer("norm")(part)).max(axis=(0, 1, 2)), 1, rtol=1e-5)


def test_a_norm_that_another_layer_reads_too_is_left_alone():
    inputs = keras.Input((6, 5, 2))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 1, name="conv")(inputs))
    x = layers.Add(name="sum")([layers.DepthwiseConv2D(1, name="depthwise")(x), x])
    assert cross_layer.chains(to_tf_keras(keras.Model(inputs, x))) == []


def _network():
    inputs, rng = keras.Input((6, 5, 2)), np.random.default_rng(0)
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 1, name="conv")(inputs))
    x = layers.ZeroPadding2D(1, name="pad")(_torch_defaults.shuffled(x, "shuffle", 2))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    network = keras.Model(inputs, layers.BatchNormalization(name="last")(x))
    for weight in network.weights:
        weight.assign(rng.uniform(0.1, 2, weight.shape))
    return network
