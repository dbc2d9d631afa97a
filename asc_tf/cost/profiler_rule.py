"""What does a network cost by TensorFlow's own profiler?  Rule K: the challenge's counter with its Keras back end.

Source: NeSsi for Keras networks: the parameters are all weights, running statistics included; a MAC is
        two float operations of tf.compat.v1.profiler, which knows convolutions, products, poolings,
        means, softmax and arithmetic by element, and takes ReLU, dropout and reshaping for nothing.
Keras 3 runs batch norm unfused in inference, which costs 2 operations an element and 6 a channel.
"""

import math
import re

import tensorflow as tf

from asc_tf.cost._graph import Graph
from asc_tf.cost.rows import Row

CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def rows(network):
    """One Row for each layer with weights or float operations, in the order of the network."""
    operations = _by_layer(network)
    found = []
    for call in Graph(network).calls:
        # A layer called more often shows all its cost at its first call.
        macs = operations.pop(call.layer.name, 0) / 2
        parameters = sum(math.prod(weight.shape) for weight in getattr(call.layer, "weights", ()))
        if call.layer.name not in {row.name for row in found} and (macs or parameters):
            found.append(Row(call.layer.name, type(call.layer).__name__, call.output_shapes[0], parameters, macs))
    other = sum(operations.values()) / 2
    return found + ([Row("(between the layers)", "", (), 0, other)] if other else [])


def _by_layer(network):
    """{layer's name: float operations for one clip}; what belongs to no layer is under its own name."""
    function = tf.function(lambda x: network(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *network.input_shape[1:]), tf.float32))
    names, found = {call.layer.name for call in Graph(network).calls}, {}
    for path, count in _float_operations(concrete.graph):
        # Scopes end in a number where their name was taken before: network_1/stem_2/convolution.
        scopes = [part for scope in path.split("/") for part in (scope, re.sub(r"_\d+$", "", scope))]
        name = next((scope for scope in scopes if scope in names), path)
        found[name] = found.get(name, 0) + count
    return found


def _float_operations(graph):
    """(name, float operations) of the nodes of a graph; the functions it calls are counted where they are called."""
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options = tf.compat.v1.profiler.ProfileOptionBuilder(options).with_empty_output().build()
    yield from _leaves(tf.compat.v1.profiler.profile(graph, options=options, cmd="scope"))
    for operation in graph.get_operations():
        if operation.type in CALLS:  # Keras compiles a grouped convolution as a function
            inner = graph._get_function(operation.get_attr("f").name).graph
            yield operation.name, sum(count for _, count in _float_operations(inner))


def _leaves(node):
    if node.float_ops:
        yield node.name, node.float_ops
    for child in node.children:
        yield from _leaves(child)
