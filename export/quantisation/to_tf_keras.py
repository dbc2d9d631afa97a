"""How does a Keras 3 network become a tf_keras one of the same weights?

TFMOT refuses Keras 3 models.  A functional model is rebuilt layer by layer from public attributes
(`layers`, `input`, `output`, `get_config`, `get_weights`); outputs agree to 1e-5.
"""

import inspect

import keras
import tf_keras

from asc_tf.errors import UserError
from export.quantisation import tf_keras_layers as _layers

# The weights are copied, so how they would be started does not matter; Keras 3 spells these differently.
LEFT_OUT = ("_initializer", "_regularizer", "_constraint")


def to_tf_keras(network):
    """The tf_keras functional model with the layers, names and weights of `network`.

    network: a functional Keras 3 model of layers of Keras or of asc_tf, each used once.
    Raises UserError, naming the layer, when it holds anything else.
    """
    _check(network)
    tensors = {id(x): tf_keras.Input(x.shape[1:], name=layer.name) for x, layer in _inputs(network)}
    inputs = list(tensors.values())
    copies = []
    for layer in network.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            copy = _copy(layer)
            tensors[id(layer.output)] = copy(keras.tree.map_structure(lambda x: tensors[id(x)], layer.input))
            copies.append((copy, layer))
    rebuilt = tf_keras.Model(inputs, [tensors[id(x)] for x in network.outputs], name=network.name)
    for copy, layer in copies:
        copy.set_weights(layer.get_weights())
    return rebuilt


def _inputs(network):
    return [(layer.output, layer) for layer in network.layers if isinstance(layer, keras.layers.InputLayer)]


def _copy(layer):
    kind, given = _layers.counterpart(type(layer)), layer.get_config()
    known = inspect.signature(kind.__init__).parameters
    if "settings" not in known:
        given = {key: value for key, value in given.items() if key in known and not key.endswith(LEFT_OUT)}
    if given.get("activation") in _layers.ACTIVATIONS:
        given["activation"] = _layers.ACTIVATIONS[given["activation"]]
    return kind(**given | {"name": layer.name, "dtype": "float32"})


def _check(network):
    if not isinstance(network, keras.Model) or not hasattr(network, "outputs"):
        raise UserError(f"twin: {type(network).__name__} is not a functional Keras model, so it cannot be quantised.")
    made = set()
    for layer in network.layers:
        where = f"twin: layer '{layer.name}' ({type(layer).__name__})"
        if not _layers.counterpart(type(layer)):
            raise UserError(f"{where} has no counterpart in tf_keras, so the network cannot be quantised.")
        if not isinstance(layer, keras.layers.InputLayer):
            unknown = [x for x in keras.tree.flatten(layer.input) if id(x) not in made]
            if unknown:
                raise UserError(f"{where} takes what no layer makes; write operations between layers as layers.")
        made.update(id(x) for x in keras.tree.flatten(layer.output))
