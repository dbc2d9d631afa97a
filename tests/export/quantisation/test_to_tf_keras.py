"""Conversion of Keras 3 networks to tf_keras."""

import keras
import numpy as np
import pytest
import tf_keras

from asc_tf.errors import UserError
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.recipe import registry


def test_outputs_weights_and_names_are_those_of_the_keras_3_network(small, clips):
    network = small()
    copy = to_tf_keras(network)
    assert isinstance(copy, tf_keras.Model)
    np.testing.assert_allclose(copy(clips[0]), network(clips[0]), atol=1e-5)
    assert [w.shape.as_list() for w in copy.weights] == [list(w.shape) for w in network.weights]
    assert {layer.name for layer in copy.layers} == {layer.name for layer in network.layers}


def test_a_subclass_in_asc_tf_of_a_keras_layer_becomes_the_tf_keras_layer():
    network = registry.entry("model", "cp_resnet")((17, 5, 1), 3, width=10, rho=4)
    for name, kind in (("stem_bn", "BatchNormalization"), ("b3_conv1", "Conv2D")):
        assert type(network.get_layer(name)) is not getattr(keras.layers, kind)
        assert type(to_tf_keras(network).get_layer(name)) is getattr(tf_keras.layers, kind)


def test_settings_without_weights_are_copied(small):
    network = small()
    network.get_layer("stem_bn").epsilon = 0.5
    network.get_layer("stem_bn").momentum = 0.25
    copy = to_tf_keras(network).get_layer("stem_bn")
    assert (copy.epsilon, copy.momentum) == (0.5, 0.25)


def test_a_network_that_was_called_inside_another_is_converted(small, clips):
    network = small()
    keras.Model(network.input, keras.layers.Softmax()(network(network.input)))
    np.testing.assert_allclose(to_tf_keras(network)(clips[0]), network(clips[0]), atol=1e-5)


def test_the_original_is_not_changed(small):
    network = small()
    before = network.get_weights()
    to_tf_keras(network).get_layer("stem").set_weights([np.zeros((3, 3, 1, 8))])
    assert all(np.array_equal(old, new) for old, new in zip(before, network.get_weights(), strict=True))


def test_a_layer_that_tf_keras_lacks_is_refused_by_name():
    class Foreign(keras.layers.Layer):
        def call(self, x):
            return x

    inputs = keras.Input((4,))
    with pytest.raises(UserError, match="'odd' \\(Foreign\\) has no counterpart"):
        to_tf_keras(keras.Model(inputs, Foreign(name="odd")(inputs)))


STRIDES = [[1, 1], [1, 2]] + [[1, 1]] * 4
CP_MOBILE = {"width": 8, "growth": 1.8, "expansion": 2.1, "strides": STRIDES}
DROPOUT = [0.1] * 5
IR_MAMBA = {"stem": [4, 8], "blocks": [[8, 12], [12, 16], [16, 24]], "pmbs": [[12, 3], [8, 12]], "pools": [2, 1]}
CNN_GRU = {"width": 4, "multiplier": 1.5, "expansion": 2, "divisor": 5.0, "channel_dropout": 0.3, "step_dropout": 0.5}
TF_SEPNET = {"width": 4, "depth": 16, "kernel": 3, "norm_factor": 0.1, "dropout": 0.1}
VIT = {"width": 8, "depth": 2, "heads": 2, "patch": [8, 6], "stride": [5, 4], "layer_scale": 0.1}
SWIN = {"width": 4, "depths": [2, 2], "heads": [1, 2], "patch": 4, "drop_path": 0.4}
# Every model of asc_tf can be converted; one that cannot belongs in a separate list, with the reason.
MODELS = {
    "ait_student": [{"width": 4, "embedding": 8, "dropout": DROPOUT}],
    "ast": [VIT],
    "convnext": [{"depths": [1, 2], "dims": [4, 8], "drop_path": 0.1}],
    "efficientnet_psla": [{"size": "b1", "heads": 2, "cla": "linear", "drop_connect": 0.2}],
    "htsat": [SWIN | {"spec_size": 64, "window": 4, "stride": 4}],
    "passt": [VIT],
    "swin": [SWIN | {"window": 3}],
    "yamnet": [{"blocks": 3}],
    "cp_mobile": [
        CP_MOBILE | {"grn": grn, "foldable": form} for grn, form in ((True, False), (True, True), (False, True))
    ],
    "cp_resnet": [{"width": 10, "rho": 8}, {"width": 4, "rho": 7, "size": "large"}],
    "dymn": [{"width": 0.1, "temperature": 30.0}],
    "ir_mamba": [IR_MAMBA | {"share_mamba": share, "foldable": not share} for share in (False, True)],
    "mobilenet_audio": [{"width": 0.1}],
    "residual_inception": [{"width": 4, "embedding": 8, "dropout": DROPOUT}],
    "tan_cnn_gru": [CNN_GRU | {"foldable": form, "deshuffle": form, "head_silu": form} for form in (False, True)],
    "tf_sepnet": [TF_SEPNET, TF_SEPNET | {"norm": "adaresnorm"}],
}
SHAPES = {"tan_cnn_gru": (246, 9, 2)}  # of the families that cannot take (33, 18, 2)


def test_every_model_is_in_the_list():
    assert sorted(MODELS) == registry.names("model")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "settings"), [(name, settings) for name, variants in MODELS.items() for settings in variants]
)
def test_every_model_has_the_same_outputs_in_tf_keras(family, settings):
    shape = SHAPES.get(family, (33, 18, 2))
    network, rng = registry.entry("model", family)(shape, 4, **settings), np.random.default_rng(0)
    network.set_weights([value + rng.uniform(0, 0.1, value.shape) for value in network.get_weights()])
    x = rng.normal(size=(3, *shape)).astype("float32")
    expected = np.array(network(x))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(to_tf_keras(network)(x), expected, atol=1e-5 * max(1, np.abs(expected).max()))


def test_an_operation_that_is_no_layer_is_refused_by_name():
    inputs = keras.Input((4, 4, 1))
    network = keras.Model(inputs, keras.layers.ReLU(name="after")(inputs * 2))
    with pytest.raises(UserError, match="multiply|after"):
        to_tf_keras(network)


def test_a_model_that_is_not_functional_is_refused():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(UserError, match="Subclassed is not a functional"):
        to_tf_keras(Subclassed())
