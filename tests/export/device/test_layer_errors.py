"""Is the layer that loses most found?"""

import numpy as np
from tensorflow.lite.tools import flatbuffer_utils

from asc_tf.models import cp_mobile
from export.device import layer_errors as _layers_lost
from export.quantisation import convert as tflite
from export.quantisation import qat
from export.quantisation.to_tf_keras import to_tf_keras


def test_every_layer_is_found_and_adds_little(small, int8_file, clips):
    found = {row["layer"]: row for row in _layers_lost.errors(int8_file, small(), clips[0][:16])}
    assert set(found) == {
        "stem_relu", "depthwise_stride", "project_bn", "shortcut", "relu", "head_bn", "logits",
    }  # fmt: skip
    assert found["depthwise_stride"]["operation"] == "DEPTHWISE_CONV_2D"
    assert 0 < max(row["own_error"] for row in found.values()) < 0.05


def test_a_norm_in_float_that_is_fused_with_its_relu_is_judged_with_it():
    settings = {"width": 8, "growth": 1.5, "expansion": 2.0, "strides": [[1, 1]] * 6, "grn": True}
    network = cp_mobile.build((32, 17, 1), 3, **settings, foldable=True)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if layer.name.endswith(("_grn", "_bn")):  # as if trained: an offset of nothing leaves no name in the file
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    x = rng.normal(size=(32, 32, 17, 1)).astype("f")
    content = tflite.convert(qat.quantise(to_tf_keras(network), x))
    rows = _layers_lost.errors(content, network, x)
    found = {row["layer"]: row["own_error"] for row in rows}
    # What leaves for float is judged once its channels have their sizes back.
    assert {row["operation"] for row in rows if row["layer"] in ("b4_project_bn", "b6_project_bn")} == {"MUL"}
    assert {"b1_relu", "b6_relu", "logits"} <= found.keys() and not any(name.endswith("_grn") for name in found)
    assert max(found.values()) < 0.1


def test_a_spoilt_layer_stands_out(small, int8_file, clips):
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(int8_file))
    graph = model.subgraphs[0]
    (project,) = [op for op in graph.operators if b"project_bn" in graph.tensors[op.outputs[0]].name.split(b";")[0]]
    kernel = model.buffers[graph.tensors[project.inputs[1]].buffer]
    kernel.data = np.zeros_like(kernel.data)
    spoilt = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    found = _layers_lost.errors(spoilt, small(), clips[0][:16])
    worst = max(found, key=lambda row: row["own_error"])
    assert worst["layer"] == "project_bn" and worst["own_error"] > 0.5
    assert all(row["own_error"] < worst["own_error"] / 2 for row in found if row is not worst)
    assert found[-1]["error"] > 0.1  # it goes on to the end
    assert _layers_lost.told(found, 1)[1].split()[0] == "project_bn"
