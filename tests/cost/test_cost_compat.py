"""The private parts of Keras and TensorFlow exist and work as asc_tf.cost._compat uses them."""

import keras
import pytest
import tensorflow as tf
from keras import layers

from asc_tf.cost import _compat

SEQUENTIAL = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="first"), layers.ReLU(name="second")])
FUNCTIONAL = keras.Model(SEQUENTIAL.inputs, SEQUENTIAL.outputs)


@pytest.mark.parametrize(
    ("holder", "name"),
    [(SEQUENTIAL, "_functional"), (FUNCTIONAL, "_nodes_by_depth"), (tf.Graph(), "_get_function")],
    ids=["Sequential", "Functional", "Graph"],
)
def test_the_private_part_exists(holder, name):
    versions = f"Keras {keras.__version__} or TensorFlow {tf.__version__}"
    part = f"{type(holder).__name__}.{name} (private) is gone from {versions}: see asc_tf/cost/_compat.py"
    assert hasattr(holder, name), part


@pytest.mark.parametrize("network", [SEQUENTIAL, FUNCTIONAL], ids=["Sequential", "Functional"])
def test_nodes_are_in_the_order_of_execution_without_inputs(network):
    assert _compat.is_functional(network)
    nodes = _compat.nodes(network)
    assert [node.operation.name for node in nodes] == ["first", "second"]
    assert nodes[1].input_tensors[0] is nodes[0].outputs[0]


def test_unbuilt_and_subclassed_networks_are_not_functional():
    class Subclassed(keras.Model):
        pass

    assert not _compat.is_functional(keras.Sequential([layers.Dense(2)]))
    assert not _compat.is_functional(Subclassed())


def test_the_graph_of_a_called_function_has_its_operations():
    double = tf.function(lambda x: tf.multiply(x, 2.0, name="double"))
    caller = tf.function(lambda x: double(x)).get_concrete_function(tf.TensorSpec((1,), tf.float32)).graph
    (call,) = [operation for operation in caller.get_operations() if operation.type == "PartitionedCall"]
    called = _compat.function_graph(caller, call.get_attr("f").name)
    assert "double" in [operation.name for operation in called.get_operations()]
