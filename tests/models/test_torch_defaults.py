import keras
import numpy as np
import pytest

from asc_tf.models import _torch_defaults


@pytest.mark.parametrize(("groups", "order"), [(2, [0, 3, 1, 4, 2, 5]), (3, [0, 2, 4, 1, 3, 5])])
def test_channels_are_shuffled_alike_at_every_position(groups, order):
    inputs = keras.Input((2, 3, 6))
    network = keras.Model(inputs, _torch_defaults.shuffled(inputs, "shuffle", groups))
    x = np.arange(36.0).reshape(1, 2, 3, 6)
    np.testing.assert_array_equal(network(x), x[..., order])


@pytest.mark.parametrize(("axis", "number"), [("frequency", 1), ("time", 2)])
def test_axis_means_leave_an_axis_of_one(axis, number):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("f")
    layer = _torch_defaults.AxisMean(axis)
    np.testing.assert_allclose(layer(x), x.mean(axis=number, keepdims=True), rtol=1e-5, atol=1e-7)
    assert layer.compute_output_shape((None, 3, 4, 5))[number] == 1


def test_strided_convolutions_take_the_even_rows_and_the_middle_tap():
    inputs = keras.Input((4, 4, 1))
    layer = _torch_defaults.depthwise(inputs, "conv", (1, 5), stride=2)
    network = keras.Model(inputs, layer)
    kernel = np.zeros((1, 5, 1, 1))
    kernel[0, 2] = 1  # the identity
    network.get_layer("conv").set_weights([kernel])
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(network(x), x[:, ::2, ::2])
