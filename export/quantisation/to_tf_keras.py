"""Conversion of Keras 3 networks to tf_keras.

TFMOT refuses Keras 3 models.  A functional model is rebuilt layer by layer from public attributes
(`layers`, `input`, `output`, `get_config`, `get_weights`); outputs agree to 1e-5.
"""

import inspect

import keras
import numpy as np
import tf_keras

from asc_tf import keras_settings
from asc_tf.errors import UserError
from asc_tf.export.quantisation import mamba_form
from asc_tf.export.quantisation import tf_keras_layers as _layers
from asc_tf.models._mamba import ParallelMamba

# What keras_settings.settle does for Keras 3; tf_keras reads the same keras.json.
tf_keras.backend.set_floatx(keras_settings.FLOATX)
tf_keras.backend.set_image_data_format(keras_settings.IMAGE_DATA_FORMAT)
tf_keras.backend.set_epsilon(keras_settings.EPSILON)

# Layers that become several, by functions of the layer and its input in tf_keras.
EXPANDED = {ParallelMamba: mamba_form.expanded}
# Of a batch norm's copy, so that it can be divided by its channels' sizes: a factor of 1 and a shift of 0 where the
# original lacks them.
ALL_WEIGHTS = {"scale": True, "center": True}
# Suffixes of settings left out: the weights are copied and not trained with these, and Keras 3 spells them differently.
LEFT_OUT = ("_initializer", "_regularizer", "_constraint")


def to_tf_keras(network: keras.Model) -> tf_keras.Model:
    """The tf_keras functional model with the layers, names and weights of a Keras 3 one.

    Args:
        network: Functional Keras 3 model of layers of Keras or of asc_tf, each used once.

    Raises:
        UserError: It is not functional, or a layer has no counterpart or an input that is no layer's output.
    """
    _check(network)
    tensors = {id(x): tf_keras.Input(x.shape[1:], name=layer.name) for x, layer in _inputs(network)}
    inputs = list(tensors.values())
    copies = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        source = keras.tree.map_structure(lambda x: tensors[id(x)], layer.input)
        if type(layer) in EXPANDED:
            tensors[id(layer.output)] = EXPANDED[type(layer)](layer, source)
        else:
            copy = _copy(layer)
            tensors[id(layer.output)] = copy(source)
            copies.append((copy, layer))
    rebuilt = tf_keras.Model(inputs, [tensors[id(x)] for x in network.outputs], name=network.name)
    for copy, layer in copies:
        copy.set_weights(_weights(layer))
    return rebuilt


def _inputs(network):
    return [(layer.output, layer) for layer in network.layers if isinstance(layer, keras.layers.InputLayer)]


def _copy(layer):
    """A tf_keras layer of the same name and settings, computing in float32."""
    kind, config = _layers.counterpart(type(layer)), layer.get_config()
    if config.get("activation") in _layers.ACTIVATIONS:
        config["activation"] = _layers.ACTIVATIONS[config["activation"]]
    known = inspect.signature(kind.__init__).parameters
    if issubclass(kind, tf_keras.layers.BatchNormalization):
        config |= ALL_WEIGHTS
    arguments = {key: value for key, value in config.items() if key in known and not key.endswith(LEFT_OUT)}
    if issubclass(kind, _layers.AdaptedLayer):
        arguments["settings"] = {key: value for key, value in config.items() if key not in known}
    return kind(**arguments | {"name": layer.name, "dtype": "float32"})


def _weights(layer):
    """The weights of a layer's copy."""
    if not isinstance(layer, keras.layers.BatchNormalization):
        return layer.get_weights()
    size = np.shape(layer.moving_mean)
    gamma = layer.gamma if layer.scale else np.ones(size)
    beta = layer.beta if layer.center else np.zeros(size)
    return [np.asarray(weight) for weight in (gamma, beta, layer.moving_mean, layer.moving_variance)]


def _check(network):
    if not isinstance(network, keras.Model) or not hasattr(network, "outputs"):
        kind = type(network).__name__
        raise UserError(f"quantise: {kind} is not a functional Keras model, so it cannot be quantised.")
    produced = set()
    for layer in network.layers:
        where = f"quantise: layer '{layer.name}' ({type(layer).__name__})"
        if not _layers.counterpart(type(layer)):
            raise UserError(f"{where} has no counterpart in tf_keras, so the network cannot be quantised.")
        if not isinstance(layer, keras.layers.InputLayer):
            unknown = [x for x in keras.tree.flatten(layer.input) if id(x) not in produced]
            if unknown:
                raise UserError(f"{where} has an input that is no layer's output; write operations as layers.")
        produced.update(id(x) for x in keras.tree.flatten(layer.output))
