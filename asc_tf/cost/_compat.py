"""Private parts of Keras and TensorFlow: the nodes of a functional network, and the functions that a graph calls.

Tested with Keras 3.15.1 on TensorFlow 2.17.1 and 2.21.0.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def is_functional(network: keras.Model) -> bool:
    """Whether a network is functional or a built Sequential, by _nodes_by_depth (private)."""
    return hasattr(_functional(network), "_nodes_by_depth")


def nodes(network: keras.Model) -> Sequence[Any]:
    """Keras nodes of a functional network in the order in which they run, by Functional._nodes_by_depth (private).

    Args:
        network: A network for which `is_functional` holds.

    Returns:
        The nodes without those of the inputs. A node is one call of a layer: `operation` is the layer,
        `input_tensors` and `outputs` are lists of symbolic tensors.
    """
    by_depth = _functional(network)._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


def function_graph(graph: tf.Graph, name: str) -> tf.Graph:
    """Graph of a function that a graph calls, by tf.Graph._get_function (private).

    Args:
        graph: The graph that calls the function.
        name: Name of the function, as the attribute "f" of a PartitionedCall has it.
    """
    return graph._get_function(name).graph


def _functional(network):
    """The functional network of a built Sequential, which holds it in _functional (private); others as they are."""
    return getattr(network, "_functional", network)
