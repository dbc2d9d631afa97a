"""Strided depthwise convolutions in TFLite files.

TensorFlow's CPU kernel has no depthwise convolution of unequal strides, so training runs it at stride 1, and a
1 x 1 max pooling drops the other positions. TFLite's kernel takes unequal strides.
"""

from asc_tf.tflite import _compat
from asc_tf.tflite import file as tflite_file


def with_native_strides(content: bytes) -> bytes:
    """Merges each stride-1 depthwise convolution and the 1 x 1 max pooling that reads it to one strided convolution.

    Args:
        content: Bytes of a TFLite file.

    Returns:
        Bytes of a file with the same outputs, to the bit.
    """
    model, graph = tflite_file.graph(content)
    for pool in [operator for operator in graph.operators if _subsamples(model, operator)]:
        producers = [operator for operator in graph.operators if pool.inputs[0] in operator.outputs]
        readers = [operator for operator in graph.operators if pool.inputs[0] in operator.inputs]
        if len(readers) == 1 and _strideable(model, producers[0]):
            options = producers[0].builtinOptions
            options.strideH, options.strideW = pool.builtinOptions.strideH, pool.builtinOptions.strideW
            producers[0].outputs = pool.outputs
            graph.operators.remove(pool)
    return _compat.serialise(model)


def _subsamples(model, operator):
    """Whether an operation is a max pooling of 1 x 1 windows."""
    options = operator.builtinOptions
    is_pool = tflite_file.operator_name(model, operator) == "MAX_POOL_2D"
    return is_pool and (options.filterHeight, options.filterWidth) == (1, 1)


def _strideable(model, operator):
    """Whether an operation is a depthwise convolution of stride 1 without padding, which the stride would shift."""
    options = operator.builtinOptions
    return (
        tflite_file.operator_name(model, operator) == "DEPTHWISE_CONV_2D"
        and (options.strideH, options.strideW) == (1, 1)
        and options.padding == _compat.Padding.VALID
    )
