"""The names that TFMOT gives to layers and variables are those that asc_tf.export.quantisation._compat reads."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot

from asc_tf.export.quantisation import _compat, qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras

GONE = f"is gone from tensorflow-model-optimization {tfmot.__version__} (private): see export/quantisation/_compat.py"


@pytest.mark.parametrize("name", ["quant_stem", "quant_logits", "quantize_layer"])
def test_the_prefixes_of_layer_names_exist(quantised, name):
    assert any(layer.name.startswith(name) for layer in quantised.layers), f"layer name {name} {GONE}"


@pytest.mark.parametrize("name", ["kernel", "depthwise_kernel", "output", "quantize_layer"])
def test_the_variables_of_ranges_exist(quantised, name):
    # Of several networks in a process the later ones have numbered layers: quantize_layer_1_min.
    variables = [re.sub(r"_\d+(?=_(min|max):0)", "", v.name.split("/")[-1]) for v in quantised.variables]
    assert f"{name}_min:0" in variables and f"{name}_max:0" in variables, f"variable name {name}_min or _max {GONE}"


def test_the_variables_of_activations_exist(clips):
    inputs = keras.Input((12, 9, 1))
    x = keras.layers.Conv2D(2, 1, activation="relu", name="conv")(inputs)
    x = keras.layers.Dense(2, activation="tanh", name="dense")(keras.layers.GlobalAveragePooling2D(name="mean")(x))
    network = to_tf_keras(keras.Model(inputs, x))
    entries = {entry.tensor: entry for entry in _compat.ranges(qat.quantise(network, clips[0]))}
    assert {"pre_activation", "post_activation"} <= entries.keys(), f"variable pre_ or post_activation_min {GONE}"
    assert _compat.float_tensor(network, entries["post_activation"]) is network.get_layer("conv").output


def test_ranges_are_those_of_kernels_and_activations(quantised):
    ranges = {(entry.layer.name, entry.tensor): entry for entry in _compat.ranges(quantised)}
    kernels = [key for key, entry in ranges.items() if entry.is_of_kernel]
    assert kernels == [
        ("quant_stem", "kernel"), ("quant_depthwise", "depthwise_kernel"), ("quant_project", "kernel"),
        ("quant_head", "kernel"),
    ]  # fmt: skip
    assert ("quant_logits", "output") in ranges and ("quant_stem_relu", "output") in ranges
    assert all(np.all(entry.low.numpy() < entry.high.numpy()) for entry in ranges.values())


def test_every_layer_but_the_input_is_quantised(quantised):
    assert [layer.name for layer in quantised.layers if not _compat.is_quantised(layer)] == ["spectrogram"]


def test_float_layer_and_tensor_are_those_of_the_float_network(small, quantised):
    network = to_tf_keras(small())
    entries = {(entry.layer.name, entry.tensor): entry for entry in _compat.ranges(quantised)}
    (input_entry,) = [entry for (name, _), entry in entries.items() if name.startswith("quantize_layer")]
    logits = entries["quant_logits", "output"]
    assert _compat.float_layer(network, logits.layer) is network.get_layer("logits")
    assert _compat.float_tensor(network, logits) is network.output
    assert _compat.float_tensor(network, input_entry) is network.input


def test_kernel_is_the_weight_of_the_float_layer(small, quantised):
    kernel = _compat.kernel(quantised.get_layer("quant_depthwise"))
    assert kernel.shape == small().get_layer("depthwise").kernel.shape


def test_convolutions_in_groups_are_computed_without_xla_inside_of_the_context_only(clips):
    inputs = keras.Input((12, 9, 1))
    x = keras.layers.Conv2D(4, 1, name="first")(inputs)
    x = keras.layers.Conv2D(4, 3, groups=2, name="grouped")(x)
    quantised = qat.quantise(to_tf_keras(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))), clips[0])

    def convolutions():
        concrete = tf.function(lambda x: quantised(x)).get_concrete_function(tf.TensorSpec((2, 12, 9, 1)))
        return [operation.type for operation in concrete.graph.get_operations()].count("Conv2D")

    expected = quantised(clips[0]).numpy()
    assert convolutions() == 1, f"_jit_compiled_convolution_op of tf_keras {GONE}"  # the other is inside a function
    with _compat.groups_without_xla(quantised):
        assert convolutions() == 2, f"_jit_compiled_convolution_op of tf_keras {GONE}"
        np.testing.assert_allclose(quantised(clips[0]), expected, atol=1e-5)
    assert convolutions() == 1


def test_a_function_with_constants_computes_the_same_without_variables(quantised, clips):
    function = tf.function(lambda x: quantised(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *quantised.input_shape[1:]), tf.float32))
    constant = _compat.with_constants(concrete)
    assert concrete.variables and not constant.variables
    np.testing.assert_array_equal(constant(tf.constant(clips[0][:1]))[0], concrete(tf.constant(clips[0][:1])))
