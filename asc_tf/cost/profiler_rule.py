"""Rule K: cost by TensorFlow's profiler, as the challenge's counter counts Keras networks.

Source: NeSsi for Keras networks: the parameters are all weights, running statistics included; a MAC is
        two float operations of tf.compat.v1.profiler, which counts convolutions, products, poolings,
        means, softmax and elementwise arithmetic, and gives no cost to ReLU, dropout and reshaping.
Keras 3 runs batch norm unfused in inference, which costs 2 operations an element and 6 a channel.
"""

import math
import re
from collections.abc import Iterator

import keras
import tensorflow as tf

from asc_tf.cost import _compat
from asc_tf.cost._graph import Graph
from asc_tf.cost.rows import Row

CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def rows(network: keras.Model) -> list[Row]:
    """Cost of every layer with weights or float operations, in the order of the network.

    Args:
        network: A functional network of one input.

    Returns:
        A row for each layer, with the operations of all of its calls; operations outside of layers are in a
        last row named "(between the layers)".

    Raises:
        UserError: The network is not functional.
    """
    calls = Graph(network).calls
    operations = _operations_by_layer(network, {call.layer.name for call in calls})
    by_name = {}
    for call in calls:
        # A layer that is called several times has all its cost at its first call.
        macs = operations.pop(call.layer.name, 0) / 2
        parameters = sum(math.prod(weight.shape) for weight in getattr(call.layer, "weights", ()))
        if call.layer.name not in by_name and (macs or parameters):
            row = Row(call.layer.name, type(call.layer).__name__, call.output_shapes[0], parameters, macs)
            by_name[call.layer.name] = row
    other = sum(operations.values()) / 2
    return [*by_name.values(), *([Row("(between the layers)", "", (), 0, other)] if other else [])]


def _operations_by_layer(network: keras.Model, layers: set[str]) -> dict[str, int]:
    """Float operations for one clip by layer; those outside of layers are under the names of their nodes."""
    function = tf.function(lambda x: network(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *network.input_shape[1:]), tf.float32))
    operations = {}
    for path, count in _float_operations(concrete.graph):
        # A scope ends in a number where its name exists already: network_1/stem_2/convolution.
        scopes = [part for scope in path.split("/") for part in (scope, re.sub(r"_\d+$", "", scope))]
        name = next((scope for scope in scopes if scope in layers), path)
        operations[name] = operations.get(name, 0) + count
    return operations


def _float_operations(graph: tf.Graph) -> Iterator[tuple[str, int]]:
    """(name, float operations) of a graph's nodes; a called function is counted at the node that calls it."""
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options = tf.compat.v1.profiler.ProfileOptionBuilder(options).with_empty_output().build()
    yield from _leaves(tf.compat.v1.profiler.profile(graph, options=options, cmd="scope"))
    for operation in graph.get_operations():
        if operation.type in CALLS:  # Keras compiles a grouped convolution as a function
            called = _compat.function_graph(graph, operation.get_attr("f").name)
            yield operation.name, sum(count for _, count in _float_operations(called))


def _leaves(node):
    if node.float_ops:
        yield node.name, node.float_ops
    for child in node.children:
        yield from _leaves(child)
