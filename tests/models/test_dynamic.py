import keras
import numpy as np
import pytest

from asc_tf.models import _dynamic
from asc_tf.models._dynamic import AxisMeans, DynamicDepthwise, DynamicPointwise, DynamicReLU

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 5, 3)).astype("float32")
# Scores of the two clips whose softmax is 1 for one kernel.
ONE_EACH = np.array([[0, 90, 0, 0], [0, 0, 0, 90]], "float32")


def test_the_scores_of_a_clip_select_its_pointwise_kernel():
    layer = DynamicPointwise(4, start_temperature=1.0)
    y = layer([X, ONE_EACH])
    kernels = np.array(layer.weight).reshape(4, 4, 3)
    for clip, kernel in ((0, 1), (1, 3)):
        np.testing.assert_allclose(y[clip], X[clip] @ kernels[kernel].T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (5, 2)])
def test_the_scores_of_a_clip_select_its_depthwise_kernel(size, stride):
    layer = DynamicDepthwise(size, stride=stride, start_temperature=1.0)
    y = layer([X, ONE_EACH])
    assert y.shape == layer.compute_output_shape([X.shape, ONE_EACH.shape])
    plain = keras.layers.DepthwiseConv2D(
        size, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False
    )
    plain.build(X.shape)
    for clip, kernel in ((0, 1), (1, 3)):
        plain.set_weights([np.array(layer.weight)[kernel].reshape(3, size, size, 1).transpose(1, 2, 0, 3)])
        np.testing.assert_allclose(y[clip], plain(X[clip : clip + 1])[0], rtol=1e-4, atol=1e-5)


def test_at_a_high_temperature_the_kernel_is_the_mean():
    layer = DynamicPointwise(2, start_temperature=1e6)
    y = layer([X, ONE_EACH])
    mean = np.array(layer.weight).mean(axis=0).reshape(2, 3)
    np.testing.assert_allclose(y, X @ mean.T, atol=1e-3)


def test_the_initial_std_is_that_of_one_kernels_outputs():
    keras.utils.set_random_seed(0)
    layer = DynamicDepthwise(5, stride=1, start_temperature=30.0)
    layer.build([(None, 8, 8, 400), (None, 4)])
    assert np.array(layer.weight).std() == pytest.approx((2 / (25 * 400)) ** 0.5, rel=0.02)  # of one kernel's outputs
    assert float(layer.temperature) == 30


def test_the_temperature_of_an_epoch_depends_on_nothing_before():
    layer = DynamicPointwise(2, start_temperature=30.0)
    layer.build([(None, 8, 8, 3), (None, 4)])
    for epoch, temperature in ((12, 18), (3, 27), (40, 1)):
        layer.begin_epoch(epoch)
        assert float(layer.temperature) == temperature


def test_a_dynamic_relu_without_context_is_a_relu():
    np.testing.assert_array_equal(DynamicReLU()([X, np.zeros((2, 12))]), np.maximum(X, 0))


def test_a_dynamic_relu_has_two_lines_for_every_channel():
    raw = np.full((2, 12), -90.0)  # a1 = 1 - 1, a2 = 0 - 1, b1 = b2 = 0 - 1/2
    np.testing.assert_allclose(DynamicReLU()([X, raw]), np.maximum(-0.5, -X - 0.5), rtol=1e-5)
    raw = np.zeros((2, 12))
    raw[1, 4 + 2] = 90.0  # clip 1, channel 1, b1: 0 + 1/2
    expected = np.maximum(X, 0)
    expected[1, ..., 1] = np.maximum(X[1, ..., 1] + 0.5, 0)
    np.testing.assert_allclose(DynamicReLU()([X, raw]), expected, rtol=1e-5)


def test_axis_means_put_the_bands_before_the_frames():
    means = np.array(AxisMeans()(X))[:, :, 0]
    np.testing.assert_allclose(means[:, :6], X.mean(axis=2), atol=1e-6)
    np.testing.assert_allclose(means[:, 6:], X.mean(axis=1), atol=1e-6)


def test_the_kernel_temperature_falls_by_1_an_epoch_down_to_1():
    # The originals' max(30 - e, 1 + 0.02 x 29 - 0.02 e, 1) in epochs 0, 1, 28, 29, 60.
    expected = [max(30 - epoch, 1.58 - 0.02 * epoch, 1) for epoch in (0, 1, 28, 29, 60)]
    assert [_dynamic.kernel_temperature(epoch, start=30.0) for epoch in (0, 1, 28, 29, 60)] == pytest.approx(expected)
    assert expected == [30, 29, 2, 1, 1]
    assert _dynamic.kernel_temperature(0, start=1.0) == 1
