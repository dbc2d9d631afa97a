"""Errors of layers: small for a good file, and largest at a layer that was damaged on purpose."""

import numpy as np
import pytest

from asc_tf.export.device import layer_errors
from asc_tf.export.quantisation import convert as tflite
from asc_tf.export.quantisation import qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.models import cp_mobile, tan_cnn_gru
from asc_tf.tflite import _compat


@pytest.mark.slow
def test_every_layer_has_a_row_and_a_small_error(small, int8_file, clips):
    rows = {row["layer"]: row for row in layer_errors.errors(int8_file, small(), clips[0][:16])}
    assert set(rows) == {
        "stem_relu", "depthwise_stride", "project_bn", "shortcut", "relu", "head_bn", "logits",
    }  # fmt: skip
    assert rows["depthwise_stride"]["operation"] == "DEPTHWISE_CONV_2D"
    assert 0 < max(row["own_error"] for row in rows.values()) < 0.05


@pytest.mark.slow
def test_a_norm_in_float_that_is_fused_with_its_relu_counts_with_the_relu():
    settings = {"width": 8, "growth": 1.5, "expansion": 2.0, "strides": [[1, 1]] * 6, "grn": True}
    network = cp_mobile.build((32, 17, 1), 3, **settings, foldable=True)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if layer.name.endswith(("_grn", "_bn")):  # as if trained: an offset of 0 leaves no name in the file
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    x = rng.normal(size=(32, 32, 17, 1)).astype("f")
    content = tflite.convert(qat.quantise(to_tf_keras(network), x))
    rows = layer_errors.errors(content, network, x)
    own_errors = {row["layer"]: row["own_error"] for row in rows}
    # A batch norm before float layers is compared after the multiplication by its channels' sizes.
    assert {row["operation"] for row in rows if row["layer"] in ("b4_project_bn", "b6_project_bn")} == {"MUL"}
    assert {"b1_relu", "b6_relu", "logits"} <= own_errors.keys()
    assert not any(name.endswith("_grn") for name in own_errors)
    assert max(own_errors.values()) < 0.1


@pytest.mark.slow
def test_equalised_norms_and_the_steps_of_a_gru_have_no_rows():
    settings = {"width": 4, "multiplier": 1.5, "expansion": 2, "divisor": 1.0}
    settings |= {"channel_dropout": 0.3, "step_dropout": 0.5}
    network, rng = tan_cnn_gru.build((246, 9, 1), 3, True, **settings), np.random.default_rng(0)
    for layer in network.layers:
        if layer.name.endswith("_1") and len(layer.weights) == 4:  # batch norms: an offset of 0 leaves no name
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    x = rng.normal(size=(16, 246, 9, 1)).astype("f")
    rows = layer_errors.errors(tflite.convert(qat.quantise(to_tf_keras(network), x)), network, x)
    layers = {row["layer"] for row in rows}
    assert {"conv2d_1_0_1", "codw2d_1L1_1", "codw2d_2_1R_1", "mixing", "head_mixing"} <= layers, layers
    assert not layers & {"conv2d_1_1_1", "cs_1", "conv2d_2_1_1", "codw2d_2_1L_1", "bgru2d_4_1_dropout"}
    assert max(row["own_error"] for row in rows) < 0.2


def test_a_damaged_layer_has_the_largest_error(small, int8_file, clips):
    model = _compat.parse(int8_file)
    graph = model.subgraphs[0]
    (project,) = [op for op in graph.operators if b"project_bn" in graph.tensors[op.outputs[0]].name.split(b";")[0]]
    kernel = model.buffers[graph.tensors[project.inputs[1]].buffer]
    kernel.data = np.zeros_like(kernel.data)
    rows = layer_errors.errors(_compat.serialise(model), small(), clips[0][:16])
    worst = max(rows, key=lambda row: row["own_error"])
    assert worst["layer"] == "project_bn" and worst["own_error"] > 0.5
    assert all(row["own_error"] < worst["own_error"] / 2 for row in rows if row is not worst)
    assert rows[-1]["error"] > 0.1  # it reaches the output
    assert layer_errors.format_lines(rows, 1)[1].split()[0] == "project_bn"
