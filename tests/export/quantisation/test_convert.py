"""Conversion of tf_keras networks to TFLite files."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from asc_tf import build
from asc_tf.errors import UserError
from asc_tf.export.quantisation import convert as tflite
from asc_tf.export.quantisation import qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.models._torch_defaults import AxisMean
from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import strides


@pytest.fixture(scope="module")
def file(quantised):
    return tflite.convert(quantised)


def test_the_file_is_int8_from_input_to_output(file):
    network = tflite_file.TFLiteModel(file)
    assert network.is_int8
    assert network.input_shape == (12, 9, 1)
    names = {operator.name for operator in network.operators}
    assert names == {"PAD", "CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "ADD", "MEAN"}


def test_a_weight_takes_one_byte_and_a_bias_four(file):
    weights, biases = 9 * 8 + 9 * 8 + 8 * 8 + 8 * 3, 8 + 8 + 8 + 3
    assert tflite_file.parameter_bytes(file) == weights + 4 * biases


def test_logits_are_those_of_the_quantised_and_nearly_those_of_the_float_network(file, quantised, small, clips):
    logits = tflite_file.TFLiteModel(file)(clips[0])
    step = np.ptp(small()(clips[0])) / 255
    assert np.abs(logits - build.forward(quantised)(clips[0])).max() < 3 * step
    assert np.mean(logits.argmax(axis=1) == small()(clips[0]).numpy().argmax(axis=1)) >= 0.97


def test_float16_has_the_logits_of_the_float_network_and_half_of_the_bytes(small, clips):
    network = small()
    file = tflite_file.TFLiteModel(tflite.float16(to_tf_keras(network)))
    expected = network(clips[0]).numpy()
    assert np.abs(file(clips[0]) - expected).max() < 2e-3 * np.abs(expected).max()
    # Two bytes a weight and a bias: 232 and 27, once batch norms are folded.
    assert file.parameter_bytes == 2 * (232 + 27)


def test_native_strides_change_no_integer(quantised, clips, monkeypatch, file):
    monkeypatch.setattr(strides, "with_native_strides", lambda content: content)
    pooled = tflite.convert(quantised)
    assert "MAX_POOL_2D" in {operator.name for operator in tflite_file.operators(pooled)}
    np.testing.assert_array_equal(tflite_file.TFLiteModel(pooled)(clips[0]), tflite_file.TFLiteModel(file)(clips[0]))


def test_a_network_with_a_dead_channel_is_int8_throughout(small, clips):
    network = small()
    norm = network.get_layer("stem_bn").get_weights()
    for value in norm:
        value[3] = 1e-41
    network.get_layer("stem_bn").set_weights(norm)
    network.get_layer("stem").set_weights([network.get_layer("stem").get_weights()[0] * ([1] * 3 + [1e-41] + [1] * 4)])
    file = tflite.convert(qat.quantise(to_tf_keras(network), clips[0]))
    assert tflite_file.TFLiteModel(file).is_int8


@pytest.mark.parametrize("axis", ["frequency", "time"])
@pytest.mark.parametrize("order", [["rows", "turned"], ["turned", "columns"], ["rows", "turned", "pairs"]])
@pytest.mark.parametrize("in_float", [False, True])
def test_a_mean_before_several_rearrangements_is_rounded_once_or_not_at_all(axis, order, in_float, clips):
    network = _rearranged_mean(axis, order)
    named = ["mean", *order] if in_float else []
    quantised = qat.quantise(to_tf_keras(network), clips[0], [*named, "norm"])
    file = tflite_file.TFLiteModel(tflite.convert(quantised))
    (mean,) = [o for o in file.operators if o.name == "MEAN" and "mean/Mean" in o.output_name]
    kind = "float32" if in_float else "int8"
    assert mean.inputs == mean.outputs == (kind,)
    assert {o.inputs for o in file.operators if o.name == "QUANTIZE"} == {("float32",)}
    expected = build.forward(quantised)(clips[0])
    assert np.abs(file(clips[0]) - expected).max() < 4 * np.ptp(expected) / 255


def test_a_file_with_floats_is_refused():
    file = _converted(lambda x: tf.nn.conv2d(x, tf.ones((1, 1, 1, 2)), 1, "VALID"))
    with pytest.raises(UserError, match="holds CONV_2D .*float32.*not int8"):
        tflite.check(file)


def test_a_batch_norm_that_did_not_fold_is_refused():
    def scaled_maximum(x):
        return tf.nn.max_pool2d(x, 2, 2, "VALID") * tf.constant([[[[1.0, 3.0]]]])

    with pytest.raises(UserError, match="holds MUL .*did not fold"):
        tflite.check(_converted(scaled_maximum, channels=2, int8=True))


def _rearranged_mean(axis, order):
    """Mean of a convolution, layers that rearrange it, a norm and a dense layer."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12, 9, 1), name="spectrogram")
    x = AxisMean(axis, name="mean")(layers.Activation("silu", name="silu")(layers.Conv2D(4, 3, name="first")(inputs)))
    steps = x.shape[1] * x.shape[2]
    shapes = {"rows": (steps, 4), "columns": (4, steps), "pairs": (2, 2 * steps)}
    for name in order:
        if name in shapes:
            x = layers.Reshape(shapes[name], name=name)(x)
        else:
            x = layers.Permute((2, 1) if len(x.shape) == 3 else (3, 1, 2), name=name)(x)
    x = layers.Flatten(name="flat")(layers.LayerNormalization(name="norm")(x))
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


def _converted(call, channels=1, int8=False):
    function = tf.function(call).get_concrete_function(tf.TensorSpec((1, 4, 2, channels), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    if int8:
        clips = np.random.default_rng(0).normal(size=(4, 1, 4, 2, channels)).astype("float32")
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([clip] for clip in clips)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()
