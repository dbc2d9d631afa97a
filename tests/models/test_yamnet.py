import json

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import yamnet


def test_has_the_cost_of_the_original():
    cost = measure.measure(yamnet.build((64, 96, 1), 521, blocks=13))
    assert (round(cost.parameters / 1e6, 1), round(cost.macs / 1e6, 1)) == (3.7, 69.2)  # its README


def test_yamnet_256_ends_after_six_layers():
    network = yamnet.build((64, 96, 1), 10, blocks=5)
    assert network.get_layer("embedding").output.shape == (None, 256)
    assert network.get_layer("layer6_pointwise_conv_relu").output.shape == (None, 12, 8, 256)


def test_equals_the_layers_of_the_published_file_with_its_weights(original):
    values, expected_of = original
    network = yamnet.build((64, 96, 1), 10, blocks=5)
    for layer in network.layers:
        if layer.weights and layer.name != "logits":
            layer.set_weights(values.pop(layer.name))
    assert not values
    x = np.random.default_rng(0).normal(size=(3, 64, 96, 1)).astype("float32")
    embedding = keras.Model(network.input, network.get_layer("embedding").output)(x)
    expected = expected_of(x.swapaxes(1, 2)).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(embedding, expected, rtol=1e-5, atol=1e-5 * expected.std())


@pytest.fixture
def original(shared):
    """{name of our layer: arrays of the file} and the file's network, made of its layers' settings by tf_keras."""
    with h5py.File(shared / "checkpoints/rivals/yamnet_256_f32.h5") as file:
        network = tf_keras.Sequential.from_config(json.loads(file.attrs["model_config"])["config"])
        group, values = file["model_weights/model_2"], {}
        for layer in network.layers[0].layers:
            names = [weight.name for weight in layer.weights]
            arrays = [np.array(group[name]) for name in names]
            layer.set_weights(arrays)
            if arrays:
                values[layer.name.replace("/", "_")] = arrays
    return values, network


@pytest.mark.parametrize("blocks", [0, 14])
def test_a_number_of_blocks_that_does_not_exist_is_refused(blocks):
    with pytest.raises(UserError, match=f"blocks = {blocks}; it must be 1 to 13"):
        yamnet.build((64, 96, 1), 10, blocks=blocks)
