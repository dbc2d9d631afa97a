"""Which layer lost it? The error that every operation of a TFLite file carries, and the part it adds itself.

Input:   the file, the float network it was made of (in its foldable form), and clips.
Output:  [{"layer", "operation", "error", "own_error"}, ...] in the order of execution.
An operation is found in the float network by its output's name, which the converter takes from the layer.
"""

import keras
import numpy as np
import tensorflow as tf

from asc_tf import build
from asc_tf.runs import layout as files
from asc_tf.tflite import file as tflite_file
from export.quantisation.graph_form import SIZES
from export.quantisation.ranges import PREFIX

# What computes nothing of its own: it belongs to the operation that reads it.
PASSING = ("PAD", "QUANTIZE", "DEQUANTIZE")


def errors(content, network, spectrograms):
    """Root mean square of (file - float) over that of float, for every layer's last operation.

    error: against the float network on the same clip, all that was lost up to here.
    own_error: against the float layers applied to what the file itself gave them, lost here alone.
    content: bytes of a TFLite file.  spectrograms: (clips, bands, frames, channels) float32.
    """
    model, graph = tflite_file.graph(content)
    operations = _named(model, graph, network)
    seen = _tensors(content, spectrograms, {*(out for out, *_ in operations), *graph.inputs, *_read(operations)})
    layers = {out: network.get_layer(name).output for out, name, *_ in operations}
    layers[graph.inputs[0]] = network.input
    wanted = _answers(keras.Model([network.input], [layers[out] for out, *_ in operations]), [spectrograms])
    found = []
    for (out, name, kind, inputs), expected in zip(operations, wanted, strict=True):
        alone = keras.Model([layers[index] for index in inputs], [layers[out]])
        (own,) = _answers(alone, [seen[index] for index in inputs])
        error, own_error = _relative(seen[out], expected), _relative(seen[out], own, expected)
        found.append({"layer": name, "operation": kind, "error": error, "own_error": own_error})
    return found


def of_run(run, data, count):
    """The errors of a run's int8 file on `count` clips spread over its test split."""
    rows = data.test[np.unique(np.linspace(0, len(data.test) - 1, count).astype(int))]
    spectrograms = list(build.evaluation_batches(run, build.source(run.recipe, data, rows)))
    content = tflite_file.read(run.path / files.INT8)
    return errors(content, build.load_network(run, foldable=True), np.concatenate(spectrograms))


def told(layers, count):
    """The `count` layers that add most, as lines of text."""
    worst = sorted(layers, key=lambda layer: -layer["own_error"])[:count]
    lines = [f"  {x['layer']:24}{x['operation']:20}{x['own_error']:8.2%} of {x['error']:8.2%}" for x in worst]
    return (
        ["What int8 loses most, of a layer's root mean square: here alone, of all up to here", *lines] if lines else []
    )


def _named(model, graph, network):
    """[(output tensor, layer, operation, input tensors), ...]: of each layer its last operation.

    What lies between two layers' outputs, as within a layer of several operations, is gone through.  A layer whose
    last operation is fused with the next layer's, as a global response norm's with its ReLU, has no output of its own.
    """
    makers = {operator.outputs[0]: operator for operator in graph.operators}
    names = {layer.name for layer in network.layers}
    joined = [graph.tensors[operator.outputs[0]].name.decode().split(";") for operator in graph.operators]
    fused = {_layer(part, names) for _, *parts in joined for part in parts}
    last = {}
    for operator, (part, *_) in zip(graph.operators, joined, strict=True):
        layer = _layer(part, names - fused)
        passing = tflite_file.operator_name(model, operator) in PASSING
        if layer and not passing and _shape(graph, operator.outputs[0]) == network.get_layer(layer).output.shape[1:]:
            last[layer] = operator.outputs[0]
    known = {*last.values(), *graph.inputs}

    def before(index):
        operator = makers.get(index)
        found = []
        for read in operator.inputs if operator else []:
            found += [read] if read in known else before(read)
        return list(dict.fromkeys(found))

    return [(out, layer, tflite_file.operator_name(model, makers[out]), before(out)) for layer, out in last.items()]


def _layer(name, known):
    """`stem_relu` of `net/quant_stem_relu/Relu`, a batch norm of its channels' sizes; None where there is no layer."""
    parts = [part.removeprefix(PREFIX).removesuffix(SIZES) for part in name.split("/")]
    return next((part for part in parts if part in known), None)


def _shape(graph, index):
    return tuple(int(size) for size in graph.tensors[index].shape[1:])


def _read(operations):
    return {index for *_, inputs in operations for index in inputs}


def _tensors(content, spectrograms, wanted):
    """{tensor: (clips, ...) float32} of a run of the file on every clip."""
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        # XNNPACK fuses what is looked at here.
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    (first,) = interpreter.get_input_details()
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    found = {index: [] for index in wanted}
    for clip in spectrograms:
        interpreter.set_tensor(first["index"], tflite_file.quantised(clip[np.newaxis], first))
        interpreter.invoke()
        for index, values in found.items():
            values.append(tflite_file.dequantised(interpreter.get_tensor(index), details[index])[0])
    return {index: np.stack(values) for index, values in found.items()}


def _answers(model, inputs):
    return [np.asarray(y) for y in keras.tree.flatten(model(inputs, training=False))]


def _relative(found, expected, scale=None):
    size = np.sqrt(np.mean(np.square(expected if scale is None else scale)))
    return float(np.sqrt(np.mean(np.square(found - expected))) / size) if size else 0.0
