"""Promises that every network of the registry keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.recipe import registry

STRIDES = [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]]
DROPOUT = [0.1, 0.1, 0.1, 0.1, 0.1]
VIT = {"width": 8, "depth": 2, "heads": 2, "patch": [8, 6], "stride": [5, 4], "drop_path": 0.4, "layer_scale": 0.1}
SWIN = {"width": 4, "depths": [2, 2], "heads": [1, 2], "patch": 4, "drop_path": 0.4}
SETTINGS = {
    "ast": VIT | {"grid": [4, 6]},
    "ait_student": {"width": 4, "embedding": 8, "dropout": DROPOUT},
    "convnext": {"depths": [1, 2], "dims": [4, 8], "drop_path": 0.1},
    "cp_mobile": {"width": 8, "growth": 1.8, "expansion": 2.1, "strides": STRIDES, "grn": True},
    "cp_resnet": {"width": 10, "rho": 8},
    "dymn": {"width": 0.1, "temperature": 30.0},
    "htsat": SWIN | {"spec_size": 64, "window": 4, "stride": 4},
    "efficientnet_psla": {"size": "b1", "heads": 2, "cla": "linear", "drop_connect": 0.2},
    "ir_mamba": {
        "stem": [4, 8],
        "blocks": [[8, 12], [12, 16], [16, 24]],
        "pmbs": [[12, 3], [8, 4]],
        "pools": [2, 1],
    },
    "mobilenet_audio": {"width": 0.1},
    "passt": VIT | {"grid": [6, 7], "patchout_rows": 1, "patchout_columns": 1, "patchout_tokens": 2},
    "residual_inception": {"width": 4, "embedding": 8, "dropout": DROPOUT},
    "swin": SWIN | {"window": 3},
    "tan_cnn_gru": {
        "width": 4, "multiplier": 1.5, "expansion": 2, "divisor": 5.0, "channel_dropout": 0.3, "step_dropout": 0.5,
    },
    "tf_sepnet": {"width": 4, "depth": 16, "kernel": 3, "norm_factor": 0.1, "dropout": 0.1},
    "yamnet": {"blocks": 3},
}  # fmt: skip
SHAPE = (33, 18, 2)
SHAPES = {"tan_cnn_gru": (246, 9, 2)}  # of the families that cannot take SHAPE
NOT_DRAWN = ("mamba_A_log",)  # start the same in every layer, and not constant


def test_every_model_is_in_the_list():
    assert sorted(SETTINGS) == registry.names("model")


@pytest.fixture(scope="module", params=sorted(SETTINGS))
def twice(request):
    """Two networks of a family from the same seed."""
    networks = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        shape = SHAPES.get(request.param, SHAPE)
        networks.append(registry.entry("model", request.param)(shape, 4, **SETTINGS[request.param]))
    return networks


@pytest.fixture(scope="module")
def trained(twice):
    """Results of a training step of the first of them."""
    return _trained(twice[0])


def test_initial_weights_follow_the_seed_and_no_two_kernels_are_alike(twice):
    for one, other in zip(*(network.get_weights() for network in twice), strict=True):
        np.testing.assert_array_equal(one, other)
    varied = [np.array(weight) for weight in twice[0].weights if weight.name not in NOT_DRAWN]
    drawn = [kernel.ravel()[:8].tobytes() for kernel in varied if kernel.std() > 0]
    assert len(set(drawn)) == len(drawn) > 0


def test_every_layer_has_a_name_of_its_model(twice):
    first, second = ([layer.name for layer in network.layers] for network in twice)
    assert first == second  # names that Keras gives are numbered on
    assert first[0] == "spectrogram"


@pytest.mark.slow
def test_saves_and_loads_to_the_same_numbers(twice, tmp_path):
    network, rng = twice[1], np.random.default_rng(0)
    network.set_weights([value + rng.uniform(-0.1, 0.1, value.shape) for value in twice[0].get_weights()])
    x = rng.normal(size=(3, *network.input_shape[1:])).astype("float32")
    expected = np.array(network(x))
    assert expected.shape == (3, 4) and 0 < expected.std() < np.inf
    network.save(tmp_path / "network.keras")
    network.set_weights(twice[0].get_weights())
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "network.keras")(x), expected)


@pytest.mark.slow
# The classes of _fast_layers among them: a copy of another class would train more slowly, and differ in rounding.
@pytest.mark.parametrize("way", ["save and load", "clone_model", "from_config"])
def test_a_copy_has_the_same_layers_and_trains_to_the_same_bits(twice, trained, tmp_path, way):
    network = twice[0]
    copy = _copy(network, way, tmp_path / "network.keras")
    assert [type(layer) for layer in copy.layers] == [type(layer) for layer in network.layers]
    copy.set_weights(network.get_weights())
    for expected, actual in zip(trained, _trained(copy), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("family", sorted(SETTINGS))
@pytest.mark.parametrize(
    ("shape", "classes"), [((256, 65), 10), ((0, 65, 1), 10), ((256, None, 1), 10), ((32, 32, 1), 0)]
)
def test_impossible_inputs_are_refused(family, shape, classes):
    with pytest.raises(UserError, match=f"models/{family}: .*must be"):
        registry.entry("model", family)(shape, classes, **SETTINGS[family])


def _copy(network, way, file):
    if way == "save and load":
        network.save(file)
        return keras.saving.load_model(file)
    if way == "clone_model":
        return keras.models.clone_model(network)
    return type(network).from_config(network.get_config())


def _trained(network):
    """Outputs and gradients of a training step, and the weights after it; the network's weights are then restored."""
    weights, rng = network.get_weights(), np.random.default_rng(0)
    network.set_weights([value + rng.uniform(0, 0.1, value.shape) for value in weights])  # some start as 0
    for layer in network.layers:
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([1, 2])
    x = rng.normal(size=(3, *network.input_shape[1:])).astype("float32")
    with tf.GradientTape() as tape:
        y = network(x, training=True)
        loss = tf.reduce_sum(y * tf.range(4.0))
    results = [y, *tape.gradient(loss, [weight.value for weight in network.trainable_weights]), *network.get_weights()]
    network.set_weights(weights)
    return [np.array(result) for result in results]
