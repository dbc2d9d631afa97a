import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.models._fast_layers import fused

SETTINGS = {"epsilon": 1e-3, "momentum": 0.9}


def test_a_hand_sum():
    layer = fused(keras.layers.BatchNormalization(**SETTINGS))
    y = layer(np.array([1, 3], "f").reshape(1, 1, 2, 1), training=True)  # mean 2, variance 1 over 2 positions
    np.testing.assert_allclose(y[0, 0, :, 0], np.array([-1, 1]) / np.sqrt(1.001), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_mean, [0.1 * 2], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.9 * 1 + 0.1 * 1], rtol=1e-6)  # torch: 0.9 + 0.1 x 2


# No running statistics move and none are measured where the layer is frozen; 2 axes take Keras's own way.
@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("shape", [(4, 5, 3, 6), (1, 1, 1, 6), (8, 6)])
def test_trains_as_keras_does(shape, trainable):
    rng = np.random.default_rng(0)
    x, slope = (rng.normal(1, 3, shape).astype("f") for _ in range(2))
    weights = [rng.uniform(0.5, 2, 6).astype("f") for _ in range(4)]
    results = []
    for form in (keras.layers.BatchNormalization(**SETTINGS), fused(keras.layers.BatchNormalization(**SETTINGS))):
        form.build(shape)
        form.set_weights(weights)
        form.trainable = trainable
        results.append(_trained(form, tf.constant(x), slope))
    for own, kerass in zip(*results, strict=True):
        np.testing.assert_allclose(own, kerass, rtol=1e-4, atol=1e-5)


def test_files_name_the_class_of_keras(tmp_path):
    inputs = keras.Input((4, 3, 2))
    network = keras.Model(inputs, fused(keras.layers.BatchNormalization(name="norm"))(inputs))
    network.set_weights([np.array([value, value + 1]) for value in (1.0, 2.0, 3.0, 4.0)])
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", custom_objects={})
    assert loaded.get_layer("norm").get_config() == network.get_layer("norm").get_config()
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype("f")
    np.testing.assert_array_equal(loaded(x), network(x))


def _trained(layer, x, slope):
    """Outputs, gradients of x and of the weights, and the weights after three steps of running statistics."""
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * slope)
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
    return [y, *gradients, *layer.get_weights()]
