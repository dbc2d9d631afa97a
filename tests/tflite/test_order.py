"""Order of the operations in TFLite files."""

import numpy as np
import tensorflow as tf

from asc_tf.cost import tflite_rule
from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import interpreter, order

ORDER = ["MUL", "EXP", "SUM", "PACK"]


def test_every_operation_comes_right_before_it_is_needed():
    content = _file()
    model, graph = tflite_file.graph(content)
    graph.operators.sort(key=lambda operator: ORDER.index(tflite_file.operator_name(model, operator)))
    side_by_side = order._compat.serialise(model)
    in_depth = order.depth_first(side_by_side)
    assert _names(side_by_side) == ["MUL"] * 3 + ["EXP"] * 3 + ["SUM"] * 3 + ["PACK"]
    assert _names(in_depth) == ["MUL", "EXP", "SUM"] * 3 + ["PACK"]
    # The input and three products at a time; or the input, one product, its exponential and one sum.
    assert [tflite_rule.peak_bytes(file) for file in (side_by_side, in_depth)] == [4 * 1600, 4 * 1201]
    x = np.random.default_rng(0).normal(size=(1, 400)).astype("f")
    outputs = [_run(file, x) for file in (side_by_side, in_depth, content)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])


def test_an_operation_that_no_output_needs_is_left_out():
    content = _file()
    model, graph = tflite_file.graph(content)
    graph.outputs = [graph.operators[0].outputs[0]]
    assert _names(order.depth_first(order._compat.serialise(model))) == ["MUL"]


def _names(content):
    return [operator.name for operator in tflite_file.operators(content)]


def _run(content, x):
    runner = interpreter.create(content)
    runner.set_tensor(runner.get_input_details()[0]["index"], x)
    runner.invoke()
    return runner.get_tensor(runner.get_output_details()[0]["index"])


def _file():
    """Sums of exp(1.5 x), exp(2 x) and exp(3 x)."""

    def call(x):
        return tf.stack([tf.reduce_sum(tf.exp(x * factor)) for factor in (1.5, 2.0, 3.0)])

    function = tf.function(call).get_concrete_function(tf.TensorSpec((1, 400), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module()).convert()
