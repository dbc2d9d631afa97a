"""Which mean error does rounding leave in each channel, and how is it taken back?

Source: Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019, 4.2, on data.
Rounded weights times inputs that are not centred shift a channel's mean; its offset takes that back.
"""

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from export import _form

PREFIX = "quant_"


def correct(quantised, network, batches):
    """Moves the offset of every convolution, in order, until its channels have the float network's means.

    quantised: of `network`, its ranges set; changed in place.  batches: of spectrograms.
    """
    for layer, offset in _offsets(quantised, network):
        wanted = _means(tf_keras.Model(network.inputs, layer.output), batches)
        found = _means(tf_keras.Model(quantised.inputs, quantised.get_layer(PREFIX + layer.name).output), batches)
        offset.assign_add(wanted - found)


def _offsets(quantised, network):
    """[(layer of the float network, offset variable of the quantised one), ...] in the order they compute."""
    found = []
    for layer in network.layers:
        if isinstance(layer, _form.CONVOLUTIONS):
            (reader, *_) = _form.readers(network, layer) or [layer]
            layer = reader if isinstance(reader, layers.BatchNormalization) else layer
            offsets = [v for v in _variables(quantised, layer) if v.name.split("/")[-1] in ("beta:0", "bias:0")]
            found += [(layer, offset) for offset in offsets]
    return found


def _variables(quantised, layer):
    return quantised.get_layer(PREFIX + layer.name).trainable_variables


def _means(network, batches):
    """(channels,) of the output over all clips and positions."""
    means = [tf.reduce_mean(network(x, training=False), range(len(network.output_shape) - 1)) for x in batches]
    return np.average(means, axis=0, weights=[len(x) for x in batches])
