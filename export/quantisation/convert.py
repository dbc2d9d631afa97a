"""Conversion of tf_keras networks to TFLite files.

Source:  TFLite converter, full integer quantisation from the ranges of quantisation-aware training.
Output:  bytes of a file; input (1, bands, frames, channels) int8, output (1, classes) int8, only int8 between,
         except for layers that stay in float.
"""

import re
import warnings
from collections.abc import Collection, Sequence

import tensorflow as tf
import tf_keras

from asc_tf.cost import tflite_rule
from asc_tf.errors import UserError
from asc_tf.export.quantisation import _compat
from asc_tf.export.quantisation import graph_form as _form
from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import means, order, strides

# What an 8-bit graph should not hold inside: conversions.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "CAST")


def convert(quantised: tf_keras.Model) -> bytes:
    """The int8 TFLite file of a quantised network.

    Args:
        quantised: Network with fake quantisation, as qat.quantise makes it.

    Returns:
        Bytes of the file.

    Raises:
        UserError: Outside of the float layers, an operation is not int8 or a batch norm is left.
    """
    converter = _converter(quantised)
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # The ranges come from training, so the missing statistics are not needed.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        content = strides.with_native_strides(converter.convert())
    content = means.with_own_scales(means.with_float_means(content))
    content = min((content, order.depth_first(content)), key=tflite_rule.peak_bytes)
    floats = unquantised_layers(quantised)
    readers = [reader.name for name in floats for reader in _form.readers(quantised, quantised.get_layer(name))]
    check(content, floats + readers)  # of the readers only ReLUs compute in float, fused with the layer before
    return content


def float16(network: tf_keras.Model) -> bytes:
    """The TFLite file of a float network with weights in 16 bits and all operations in float32.

    Args:
        network: Float network.

    Returns:
        Bytes of the file.
    """
    converter = _converter(network)
    converter.target_spec.supported_types = [tf.float16]
    return strides.with_native_strides(converter.convert())


def unquantised_layers(quantised: tf_keras.Model) -> list[str]:
    """Names of the layers of a quantised network that stay in float, in order, without its input.

    Args:
        quantised: Network with fake quantisation.
    """
    return [layer.name for layer in quantised.layers[1:] if not _compat.is_quantised(layer)]


def layers_in_float(content: bytes, names: Sequence[str]) -> list[str]:
    """Those of the layers that have an operation in float in a file; a sum or a ReLU may be converted to int8.

    Args:
        content: Bytes of the file.
        names: Names of layers.
    """
    floats = [operator for operator in tflite_file.operators(content) if "float32" in operator.outputs]
    return [name for name in names if any(_belongs_to(operator, [name]) for operator in floats)]


def check(content: bytes, float_layers: Collection[str] = ()) -> None:
    """Checks that all operations between input and output of a file are int8, and all batch norms folded.

    Args:
        content: Bytes of the file.
        float_layers: Names of layers whose operations may be in float, between a DEQUANTIZE and a QUANTIZE.

    Raises:
        UserError: An operation is in float, a conversion, or left of a batch norm.
    """
    not_int8 = set(tflite_file.not_int8(content))
    for operator in tflite_file.operators(content):
        where = f"export: the TFLite file holds {operator.name} ({operator.output_name})"
        is_allowed = _belongs_to(operator, float_layers) and operator.name not in CONVERSIONS
        if is_allowed or _is_border(operator, float_layers):
            continue
        if operator.name in CONVERSIONS or operator in not_int8:
            types = ", ".join(operator.inputs + operator.constants)
            raise UserError(f"{where}: {types} to {operator.outputs[0]}, not int8 throughout.")
        if operator.name in ("MUL", "SUB", "ADD") and operator.constants:
            raise UserError(f"{where}, left of a batch norm that did not fold into a convolution.")


def _is_border(operator, float_layers):
    """Whether an operation converts between int8 and a float layer."""
    return (
        bool(float_layers)
        and operator.name in ("QUANTIZE", "DEQUANTIZE")
        and {*operator.inputs, *operator.outputs} == {"int8", "float32"}
    )


def _belongs_to(operator, layers):
    """Whether an operation computes one of the layers; the converter concatenates the names of what it fuses."""
    return bool(set(re.split("[/;]", operator.output_name)) & set(layers))


def _converter(network):
    shape = (1, *network.input_shape[1:])
    function = tf.function(lambda x: network(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="spectrogram"))
    # The converter saves what it converts: with a variable for each weight that took three times as long.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_compat.with_constants(concrete)], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter
