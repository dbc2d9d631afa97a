"""Learning rates of blocks by hand, a step of the layer-wise optimizer by its definition, and half precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from asc_tf.recipe.schema import Train
from asc_tf.training import optimizers

TRAIN = {"epochs": 1, "batch_size": 2, "learning_rate": 0.1, "warmup_steps": 0, "weight_decay": 0.01}


@pytest.fixture
def network():
    inputs = keras.Input((4,), name="spectrogram")
    x = layers.Dense(4, name="patch_embed")(inputs)
    for number in range(2):
        x = layers.Dense(4, name=f"blocks_{number}_fc1")(x)
        x = layers.Dense(4, name=f"blocks_{number}_fc2")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.LayerNormalization(name="norm")(x)))


def test_rates_fall_from_block_to_block(network):
    rates = optimizers.layer_rates(network, 0.5)
    assert rates["head"] == rates["norm"] == 1
    assert rates["blocks_1_fc1"] == rates["blocks_1_fc2"] == 0.5
    assert (rates["blocks_0_fc2"], rates["patch_embed"]) == (0.25, 0.125)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["features_0_0", "features_1_block_1_0", "features_1_block_2_0", "classifier_2"], [0.25, 0.5, 0.5, 1]),
        (["layers_0_blocks_0_mlp", "layers_0_blocks_1_mlp", "layers_0_downsample_norm"], [0.125, 0.25, 0.5]),
        (["downsample_layers_0_0", "stages_0_0_conv", "stages_0_1_conv", "norm"], [0.125, 0.25, 0.5, 1]),
        (["stem1", "b1_expand", "b1_project", "b2_expand", "head"], [0.125, 0.25, 0.25, 0.5, 1]),
    ],
)
def test_blocks_of_the_families(names, expected):
    x = inputs = keras.Input((4,), name="spectrogram")
    for name in names:
        x = layers.Dense(4, name=name)(x)
    rates = optimizers.layer_rates(keras.Model(inputs, x), 0.5)
    assert [rates[name] for name in names] == expected


def test_a_step_is_adamw_with_the_rate_of_the_block(network):
    before = {w.path: w.numpy() for w in network.trainable_weights}
    optimizer = optimizers.adamw(Train(**TRAIN, layer_decay=0.5), 0.1, network, network.trainable_variables)
    optimizer.apply([tf.ones_like(w) for w in network.trainable_weights], network.trainable_variables)
    for layer, factor in (("head", 1), ("blocks_1_fc1", 0.5), ("blocks_0_fc2", 0.25), ("patch_embed", 0.125)):
        kernel, bias = network.get_layer(layer).trainable_weights
        rate = 0.1 * factor  # Adam's first step is its rate times the gradient's sign
        np.testing.assert_allclose(kernel, before[kernel.path] * (1 - rate * 0.01) - rate, atol=1e-5)
        np.testing.assert_allclose(bias, before[bias.path] - rate, atol=1e-5)


def test_without_decay_it_is_keras_adamw(network):
    assert type(optimizers.adamw(Train(**TRAIN), 0.1, network, network.trainable_variables)) is keras.optimizers.AdamW


def test_half_precision_floats_have_a_loss_scale(network):
    train = Train(**TRAIN, precision="mixed_float16")
    optimizer = optimizers.adamw(train, 0.1, network, network.trainable_variables)
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    before = network.get_layer("head").get_weights()[0]
    scale = float(optimizer.dynamic_scale)
    optimizer.apply([tf.ones_like(w) * scale for w in network.trainable_weights], network.trainable_variables)
    np.testing.assert_allclose(network.get_layer("head").get_weights()[0], before * (1 - 0.001) - 0.1, atol=1e-5)
    optimizer.apply([tf.ones_like(w) * np.inf for w in network.trainable_weights], network.trainable_variables)
    assert float(optimizer.dynamic_scale) == scale / 2
