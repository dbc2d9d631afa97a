"""`python -m export.tflite RUN`: how does a network become an int8 TFLite file that a device can run as it is?

Makes it of a trained or imported run, anew where there is one: by the run's own [quantise], or by another
recipe's on other clips.  Exit status 0 where it is within the limits of the DCASE challenge, 1 where it is made
but beyond them, 2 where it could not be made.

Source:  TFLite converter, full integer quantisation from the ranges of quantisation-aware training.
Output:  bytes; input (1, bands, frames, channels) int8, output (1, classes) int8, only int8 between, but for
         layers that were kept in float.
"""

import re
import warnings

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from asc_tf.errors import UserError
from asc_tf.tflite import file as tflite_file
from export.quantisation import graph_form as _form

# What an 8-bit graph should not hold: conversions inside, and batch norms that did not fold.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "CAST")


def convert(quantised):
    """The int8 TFLite file of a quantised tf_keras network, as bytes.

    Raises UserError, naming the operation, when anything in it is not int8 or a batch norm is left, outside of
    the layers that were kept in float.
    """
    converter = _converter(quantised)
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # The ranges come from training, so the statistics it misses are not needed.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        content = with_native_strides(converter.convert())
    kept = kept_float(quantised)
    readers = [x.name for name in kept for x in _form.readers(quantised, quantised.get_layer(name))]
    check(content, kept + readers)  # of their readers ReLUs alone compute in float, fused with what they read
    return content


def float16(network):
    """The TFLite file of a tf_keras network with weights in 16 bits and everything computed in float, as bytes."""
    converter = _converter(network)
    converter.target_spec.supported_types = [tf.float16]
    return with_native_strides(converter.convert())


def kept_float(quantised):
    """Names of the layers of a quantised network that stayed in float."""
    return [x.name for x in quantised.layers[1:] if not x.name.startswith(("quant_", "quantize_layer"))]


def in_float(content, names):
    """Those of the layers that have an operation in float in the file; the converter makes int8 of a sum or a ReLU."""
    floats = [operator for operator in tflite_file.operators(content) if "float32" in operator.outputs]
    return [name for name in names if any(_is_of(operator, [name]) for operator in floats)]


def check(content, float_layers=()):
    """Raises UserError unless all operations between input and output of a file are int8, and batch norms folded.

    float_layers: layers whose operations may be in float, between a DEQUANTIZE and a QUANTIZE.
    """
    for operator in tflite_file.operators(content):
        where = f"export: the TFLite file holds {operator.name} ({operator.output_name})"
        if _is_border(operator, float_layers) or (_is_of(operator, float_layers) and operator.name not in CONVERSIONS):
            continue
        if operator.name in CONVERSIONS or operator in tflite_file.not_int8(content):
            types = ", ".join(operator.inputs + operator.constants)
            raise UserError(f"{where}: {types} to {operator.outputs[0]}, not int8 throughout.")
        if operator.name in ("MUL", "SUB", "ADD") and operator.constants:
            raise UserError(f"{where}, left of a batch norm that did not fold into a convolution.")


def _is_border(operator, float_layers):
    """Whether an operation takes int8 into a float layer, or back."""
    return (
        bool(float_layers)
        and operator.name in ("QUANTIZE", "DEQUANTIZE")
        and {*operator.inputs, *operator.outputs} == {"int8", "float32"}
    )


def _is_of(operator, layers):
    """Whether an operation is of one of the layers; the converter joins the names of what it fuses."""
    return bool(set(re.split("[/;]", operator.output_name)) & set(layers))


def _converter(network):
    shape = (1, *network.input_shape[1:])
    # The converter saves this module; saving the model itself would trace each of its layers for 40 seconds.
    module = tf.Module()
    module.held = network.variables
    module.call = tf.function(lambda x: network(x, training=False))
    concrete = module.call.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="spectrogram"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter


def with_native_strides(content):
    """The same network with subsampled depthwise convolutions computing the kept positions only.

    Training runs a depthwise convolution of unequal strides at stride 1 and keeps every second position
    by a 1 x 1 pooling, as TensorFlow's CPU kernel needs it.  TFLite's takes the strides.  Every output
    is the same integer.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    for pool in [operator for operator in graph.operators if _subsamples(model, operator)]:
        makers = [operator for operator in graph.operators if pool.inputs[0] in operator.outputs]
        readers = [operator for operator in graph.operators if pool.inputs[0] in operator.inputs]
        if len(readers) == 1 and _strideable(model, makers[0]):
            options = makers[0].builtinOptions
            options.strideH, options.strideW = pool.builtinOptions.strideH, pool.builtinOptions.strideW
            makers[0].outputs = pool.outputs
            graph.operators.remove(pool)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _subsamples(model, operator):
    options = operator.builtinOptions
    return _name(model, operator) == "MAX_POOL_2D" and (options.filterHeight, options.filterWidth) == (1, 1)


def _strideable(model, operator):
    """At stride 1 and without padding of its own, which would shift when the stride changes."""
    options = operator.builtinOptions
    return (
        _name(model, operator) == "DEPTHWISE_CONV_2D"
        and (options.strideH, options.strideW) == (1, 1)
        and options.padding == schema.Padding.VALID
    )


def _name(model, operator):
    return tflite_file.operator_name(model, operator)
