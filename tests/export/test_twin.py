import keras
import numpy as np
import pytest
import tf_keras

from asc_tf.errors import UserError
from asc_tf.models import cp_mobile
from export.twin import twin


def test_computes_the_same_in_tf_keras(small, clips):
    network = small()
    copy = twin(network)
    assert isinstance(copy, tf_keras.Model)
    np.testing.assert_allclose(copy(clips[0]), network(clips[0]), atol=1e-5)
    assert [w.shape.as_list() for w in copy.weights] == [list(w.shape) for w in network.weights]
    assert {layer.name for layer in copy.layers} == {layer.name for layer in network.layers}


def test_keeps_the_settings_that_the_weights_do_not_show(small):
    network = small()
    network.get_layer("stem_bn").epsilon = 0.5
    network.get_layer("stem_bn").momentum = 0.25
    copy = twin(network).get_layer("stem_bn")
    assert (copy.epsilon, copy.momentum) == (0.5, 0.25)


def test_does_the_same_after_the_network_was_called_inside_another(small, clips):
    network = small()
    keras.Model(network.input, keras.layers.Softmax()(network(network.input)))
    np.testing.assert_allclose(twin(network)(clips[0]), network(clips[0]), atol=1e-5)


def test_leaves_the_original_alone(small):
    network = small()
    before = network.get_weights()
    twin(network).get_layer("stem").set_weights([np.zeros((3, 3, 1, 8))])
    assert all(np.array_equal(old, new) for old, new in zip(before, network.get_weights(), strict=True))


def test_names_a_layer_that_tf_keras_lacks():
    strides = [[1, 1]] * 6
    network = cp_mobile.build((16, 8, 1), 3, width=8, growth=1.0, expansion=1.0, strides=strides, grn=True)
    with pytest.raises(UserError, match="'b1_grn' \\(GlobalResponseNorm\\)"):
        twin(network)


def test_names_an_operation_that_is_no_layer():
    inputs = keras.Input((4, 4, 1))
    network = keras.Model(inputs, keras.layers.ReLU(name="after")(inputs * 2))
    with pytest.raises(UserError, match="multiply|after"):
        twin(network)


def test_refuses_what_is_not_functional():
    class Own(keras.Model):
        pass

    with pytest.raises(UserError, match="Own is not a functional"):
        twin(Own())
