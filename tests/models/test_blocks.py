import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.models._blocks import GlobalResponseNorm, make_divisible


# 32 x 1.8 = 57.6 and 32 x 2.3 = 73.6: the printed widths of sheets/cp_mobile.md; 11 would fall below 90 % of it.
@pytest.mark.parametrize(("value", "rounded"), [(57.6, 56), (103.68, 104), (73.6, 72), (67.2, 64), (3, 8), (11, 16)])
def test_widths_become_divisible_by_8(value, rounded):
    assert make_divisible(value) == rounded


def test_global_response_norm_of_a_hand_sum():
    x = np.zeros((1, 1, 2, 2), "float32")
    x[0, 0, :, 0] = 3, 4  # norm 5
    x[0, 0, :, 1] = 0, 15  # norm 15; the mean of both is 10
    layer = GlobalResponseNorm()
    layer.build(x.shape)
    layer.gamma.assign([2.0])
    layer.beta.assign([1.0])
    expected = [[3 + 2 * 3 * 0.5 + 1, 0 + 0 + 1], [4 + 2 * 4 * 0.5 + 1, 15 + 2 * 15 * 1.5 + 1]]
    np.testing.assert_allclose(layer(x)[0, 0], expected, rtol=1e-5)


def test_global_response_norm_starts_as_the_identity_with_finite_gradients_for_zeros():
    x = tf.zeros((2, 3, 4, 5))
    layer = GlobalResponseNorm()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    assert np.all(y == x)
    np.testing.assert_array_equal(tape.gradient(y, x), np.ones_like(x))


def test_global_response_norm_saves_and_loads(tmp_path):
    inputs = keras.Input((4, 3, 2))
    network = keras.Model(inputs, GlobalResponseNorm(name="grn")(inputs))
    network.set_weights([np.array([0.5]), np.array([0.25])])
    network.save(tmp_path / "network.keras")
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype("float32")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "network.keras")(x), network(x))
