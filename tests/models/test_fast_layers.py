import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.models import _fast_layers

SETTINGS = {"epsilon": 1e-3, "momentum": 0.9}


def test_a_hand_sum():
    layer = _fast_layers.BatchNormalization(**SETTINGS)
    y = layer(np.array([1, 3], "f").reshape(1, 1, 2, 1), training=True)  # mean 2, variance 1 over 2 positions
    np.testing.assert_allclose(y[0, 0, :, 0], np.array([-1, 1]) / np.sqrt(1.001), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_mean, [0.1 * 2], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.9 * 1 + 0.1 * 1], rtol=1e-6)  # torch: 0.9 + 0.1 x 2


# No running statistics move and none are measured where the layer is frozen; inputs of 2 axes are left to Keras.
@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("shape", [(4, 5, 3, 6), (1, 1, 1, 6), (8, 6)])
def test_batch_norm_trains_as_keras_does(shape, trainable):
    rng = np.random.default_rng(0)
    x, slope = (rng.normal(1, 3, shape).astype("f") for _ in range(2))
    weights = [rng.uniform(0.5, 2, 6).astype("f") for _ in range(4)]
    results = []
    for kind in (keras.layers.BatchNormalization, _fast_layers.BatchNormalization):
        layer = kind(**SETTINGS)
        layer.build(shape)
        layer.set_weights(weights)
        layer.trainable = trainable
        results.append(_batch_norm_trained(layer, tf.constant(x), slope))
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{"scale": False}, {"center": False}, {"axis": 1}, {"renorm": True}, {"dtype": "float64"}]
)
def test_batch_norm_is_keras_where_the_kernel_differs(settings):
    x = np.random.default_rng(0).normal(1, 3, (4, 5, 3, 6))
    layers = [kind(**settings) for kind in (keras.layers.BatchNormalization, _fast_layers.BatchNormalization)]
    expected, actual = (layer(x, training=True) for layer in layers)
    np.testing.assert_array_equal(actual, expected)
    for expected, actual in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_batch_norm_leaves_masked_positions_out_as_keras_does():
    x = np.random.default_rng(0).normal(1, 3, (4, 5, 3, 6)).astype("f")
    mask = np.arange(60).reshape(4, 5, 3) % 3 > 0
    kinds = keras.layers.BatchNormalization, _fast_layers.BatchNormalization
    expected, actual = (kind()(x, training=True, mask=mask) for kind in kinds)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("settings", [{"padding": "same"}, {"strides": 2}, {"dilation_rate": 2, "use_bias": False}])
@pytest.mark.parametrize("channels", [4, 2 * _fast_layers.NARROW + 2])
def test_a_convolution_in_groups_trains_as_keras_does(settings, channels):
    rng = np.random.default_rng(0)
    x, weights, results = rng.normal(size=(2, 7, 6, channels)).astype("f"), None, []
    for kind in (keras.layers.Conv2D, _fast_layers.Conv2D):
        layer = kind(6, 3, groups=2, activation="relu", **settings)
        layer.build(x.shape)
        weights = weights or [rng.normal(size=weight.shape) for weight in layer.get_weights()]
        layer.set_weights(weights)
        results.append(_convolution_trained(layer, tf.constant(x)))
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


# The layers override `call` and `convolution_op`. With a Keras that does not call those, training is only slow.
def test_keras_calls_the_fast_forms():
    x = tf.TensorSpec((2, 5, 4, 6), tf.float32)
    assert "FusedBatchNormV3" in _operations(_fast_layers.BatchNormalization(), x, training=True)
    assert "FusedBatchNormV3" not in _operations(keras.layers.BatchNormalization(), x, training=True)
    narrow, wide, compiled = (kind(6, 1, groups=3) for kind in (_fast_layers.Conv2D,) * 2 + (keras.layers.Conv2D,))
    assert _operations(narrow, x).count("Conv2D") == 1
    assert _operations(wide, tf.TensorSpec((2, 5, 4, 18), tf.float32)).count("Conv2D") == 3
    assert "Conv2D" not in _operations(compiled, x)  # inside a function for XLA


def test_weight_files_have_the_paths_of_keras(tmp_path):
    files = [tmp_path / f"{name}.weights.h5" for name in ("keras", "fast")]
    for kinds, file in zip((keras.layers, _fast_layers), files, strict=True):
        inputs = keras.Input((4, 3, 2))
        x = kinds.Conv2D(2, 1, groups=2)(kinds.Conv2D(4, 1)(inputs))
        keras.Model(inputs, kinds.BatchNormalization()(x)).save_weights(file)
    expected, actual = (_paths(file) for file in files)
    assert actual == expected
    assert "layers/conv2d_1/vars/0" in actual and "layers/batch_normalization/vars/3" in actual


def test_a_saved_network_has_the_settings_and_outputs_it_had(tmp_path):
    inputs = keras.Input((4, 3, 2))
    network = keras.Model(inputs, _fast_layers.BatchNormalization(name="norm")(inputs))
    network.set_weights([np.array([value, value + 1]) for value in (1.0, 2.0, 3.0, 4.0)])
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", custom_objects={})
    assert loaded.get_layer("norm").get_config() == network.get_layer("norm").get_config()
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype("f")
    np.testing.assert_array_equal(loaded(x), network(x))


def _batch_norm_trained(layer, x, slope):
    """Outputs, gradients of x and of the weights, and the weights after three steps of running statistics."""
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * slope)
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
    return [y, *gradients, *layer.get_weights()]


def _convolution_trained(layer, x):
    """Outputs, and gradients of x and of the weights."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y * y)
    return [y, *tape.gradient(loss, [x, *(weight.value for weight in layer.weights)])]


def _operations(layer, x, **settings):
    """Kinds of the operations of a layer's graph."""
    layer.build(x.shape)
    concrete = tf.function(lambda x: layer(x, **settings)).get_concrete_function(x)
    return [operation.type for operation in concrete.graph.get_operations()]


def _paths(file):
    """Paths of all arrays in a weight file, sorted."""
    paths = []
    with h5py.File(file) as stored:
        stored.visititems(lambda path, item: paths.append(path) if isinstance(item, h5py.Dataset) else None)
    return sorted(paths)
