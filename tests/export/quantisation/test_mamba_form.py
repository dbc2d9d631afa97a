"""Mamba's branches in 8 bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.cost import tflite_rule
from asc_tf.errors import UserError
from asc_tf.export.device import tflm
from asc_tf.export.quantisation import convert, qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.models import ir_mamba
from asc_tf.models._mamba import ParallelMamba
from asc_tf.tflite import file as tflite_file

SETTINGS = {
    "stem": [4, 8],
    "blocks": [[8, 12], [12, 16], [16, 24]],
    "pmbs": [[12, 3]],
    "pools": [2],
    "pmb_activation": "none",
}


@pytest.mark.parametrize(("branches", "share"), [(1, False), (3, False), (3, True), (12, False)])
def test_several_layers_compute_what_the_one_computes(branches, share):
    inputs = keras.Input((5, 3, 12))
    layer = ParallelMamba(
        branches=branches, share=share, states=6, taps=3, expand=2, init="mamba", chunk=4, name="mixer"
    )
    network = keras.Model(inputs, layer(inputs))
    rng = np.random.default_rng(0)
    network.set_weights([value + rng.uniform(-0.3, 0.3, value.shape) for value in network.get_weights()])
    x = rng.normal(size=(2, 5, 3, 12)).astype("float32")
    copy = to_tf_keras(network)
    np.testing.assert_allclose(copy(x), network(x), atol=1e-5)
    projections = [layer for layer in copy.layers if "proj" in layer.name]
    assert len(projections) == 7
    assert {layer.groups for layer in projections} == {1 if share else branches}
    # The norm is there twice.
    assert copy.count_params() == network.count_params() + 2 * 12


@pytest.fixture(scope="module")
def quantised():
    """A quantised network without GELU, and its clips."""
    keras.utils.set_random_seed(0)
    network = ir_mamba.build((33, 18, 1), 4, foldable=True, **SETTINGS)
    clips = np.random.default_rng(0).normal(size=(32, 33, 18, 1)).astype("float32")
    return qat.quantise(to_tf_keras(network), clips), clips


@pytest.mark.slow
def test_training_with_8_bits_reaches_every_weight(quantised):
    network, clips = quantised
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(clips, training=True) * tf.range(4.0))
    gradients = tape.gradient(loss, network.trainable_variables)
    without = [
        v.name for v, g in zip(network.trainable_variables, gradients, strict=True) if g is None or not np.any(g)
    ]
    assert without == []


@pytest.mark.slow
def test_projections_are_int8_and_run_on_a_microcontroller(quantised):
    content = convert.convert(quantised[0])
    operators = tflite_file.operators(content)
    products = [operator for operator in operators if operator.name in tflite_rule.PRODUCTS]
    # Stem 2, blocks 3 x 3, head 1; seven projections, the causal convolution and the dense layer after them.
    assert len(products) == 2 + 9 + 1 + 7 + 1 + 1
    assert {kind for operator in products for kind in operator.inputs + operator.outputs} == {"int8"}
    assert tflm.count_operations(content)["EXP"] > 1


def test_a_microcontroller_lacks_gelu():
    function = tf.function(lambda x: tf.nn.gelu(x, approximate=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, 4), tf.float32))
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module()).convert()
    with pytest.raises(UserError, match="cannot run GELU \\(no kernel\\)\\. Replace the layers"):
        tflm.count_operations(content)
