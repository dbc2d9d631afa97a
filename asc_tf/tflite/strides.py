"""Strided depthwise convolutions in TFLite files.

TensorFlow's CPU kernel has no depthwise convolution of unequal strides, so training runs it at stride 1, and a
1 x 1 max pooling drops the other positions. TFLite's kernel takes unequal strides.

TensorFlow 2.21's converter merges the zero padding before such a convolution into it (padding SAME), 2.17's does not.
With a stride SAME pads otherwise, so the padding becomes an operation again.
"""

import numpy as np

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
        if len(readers) == 1 and _strideable(model, graph, producers[0]):
            if producers[0].builtinOptions.padding == _compat.Padding.SAME:
                _pad_before(model, graph, producers[0])
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


def _strideable(model, graph, operator):
    """Whether an operation is a depthwise convolution of stride 1 whose padding, if any, is the same on both sides."""
    options = operator.builtinOptions
    if tflite_file.operator_name(model, operator) != "DEPTHWISE_CONV_2D":
        return False
    plain = {options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor} == {1}
    odd = all(size % 2 for size in _kernel_size(graph, operator))
    return plain and (odd or options.padding == _compat.Padding.VALID)


def _kernel_size(graph, operator):
    """(height, width)."""
    return tuple(int(size) for size in graph.tensors[operator.inputs[1]].shape[1:3])


def _pad_before(model, graph, convolution):
    """Gives a stride-1 convolution with padding SAME and an odd kernel a PAD, or that of another, and padding VALID."""
    source, (height, width) = convolution.inputs[0], _kernel_size(graph, convolution)
    amounts = np.array([(0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)], np.int32)
    position = graph.operators.index(convolution)
    same = [one for one in graph.operators[:position] if _pads(model, graph, one, source, amounts)]
    if not same:
        same = [tflite_file.new_operator(model, "PAD", [source, _constant(model, graph, amounts)], len(graph.tensors))]
        same[0].builtinOptionsType = _compat.BuiltinOptions.PadOptions
        same[0].builtinOptions = _compat.new(_compat.PadOptionsT)
        of = graph.tensors[source]
        name = graph.tensors[convolution.outputs[0]].name + b"/padded"
        shape = of.shape + amounts.sum(axis=1, dtype=np.int32)
        padded = _compat.new(_compat.TensorT, shape=shape, type=of.type, quantization=of.quantization, name=name)
        graph.tensors.append(padded)
        graph.operators.insert(position, same[0])
    convolution.inputs = [same[0].outputs[0], *convolution.inputs[1:]]
    convolution.builtinOptions.padding = _compat.Padding.VALID


def _pads(model, graph, operator, source, amounts):
    """Whether an operation pads a tensor by these amounts."""
    if tflite_file.operator_name(model, operator) != "PAD" or operator.inputs[0] != source:
        return False
    stored = bytes(tflite_file.data(model, graph.tensors[operator.inputs[1]]))
    return stored == amounts.astype(_integers(graph, operator)).tobytes()


def _integers(graph, operator):
    is_64 = graph.tensors[operator.inputs[1]].type == _compat.TensorType.INT64
    return np.int64 if is_64 else np.int32


def _constant(model, graph, values):
    """Index of a new constant tensor of int32 values."""
    model.buffers.append(_compat.new(_compat.BufferT, data=np.frombuffer(values.tobytes(), np.uint8)))
    settings = {"shape": list(values.shape), "type": _compat.TensorType.INT32, "buffer": len(model.buffers) - 1}
    graph.tensors.append(_compat.new(_compat.TensorT, name="paddings", **settings))
    return len(graph.tensors) - 1
