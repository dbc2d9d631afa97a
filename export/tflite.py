"""How does the quantised network become an int8 TFLite file that a device can run as it is?

Source:  TFLite converter, full integer quantisation from the ranges of quantisation-aware training.
Output:  bytes; input (1, bands, frames, channels) int8, output (1, classes) int8, only int8 between.
"""

import warnings

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from asc_tf import tflite_file
from asc_tf.errors import UserError

# What an 8-bit graph should not hold: conversions inside, and batch norms that did not fold.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "CAST")


def convert(quantised):
    """The int8 TFLite file of a quantised tf_keras network, as bytes.

    Raises UserError, naming the operation, when anything in it is not int8 or a batch norm is left.
    """
    shape = (1, *quantised.input_shape[1:])
    # The converter saves this module; saving the model itself would trace each of its layers for 40 seconds.
    module = tf.Module()
    module.held = quantised.variables
    module.call = tf.function(lambda x: quantised(x, training=False))
    concrete = module.call.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="spectrogram"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # The ranges come from training, so the statistics it misses are not needed.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        content = with_native_strides(converter.convert())
    check(content)
    return content


def check(content):
    """Raises UserError unless all operations between input and output of a file are int8, and batch norms folded."""
    for operator in tflite_file.operators(content):
        where = f"export: the TFLite file holds {operator.name} ({operator.output_name})"
        if operator.name in CONVERSIONS or operator in tflite_file.not_int8(content):
            types = ", ".join(operator.inputs + operator.constants)
            raise UserError(f"{where}: {types} to {operator.outputs[0]}, not int8 throughout.")
        if operator.name in ("MUL", "SUB") or (operator.name == "ADD" and operator.constants):
            raise UserError(f"{where}, left of a batch norm that did not fold into a convolution.")


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
