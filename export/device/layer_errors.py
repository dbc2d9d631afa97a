"""Errors of the layers of a TFLite file against the float network, accumulated and of each layer alone.

Input:   the file, the float network it was converted from (in its foldable form), and clips.
Output:  [{"layer", "operation", "error", "own_error"}, ...] in the order of execution.
An operation belongs to the layer that its output's tensor is named after, by the converter.
"""

import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from asc_tf import build
from asc_tf.dataset import LoadedDataset
from asc_tf.export.quantisation import cross_layer
from asc_tf.export.quantisation._compat import PREFIX
from asc_tf.export.quantisation.graph_form import SIZES
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.runs import layout, products
from asc_tf.runs.folder import RunFolder
from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import interpreter

# Operations that compute nothing: they count as part of the operation that reads them.
TRANSPARENT = ("PAD", "QUANTIZE", "DEQUANTIZE")


class LayerOutput(typing.NamedTuple):
    """The last operation of a layer in a file.

    Args:
        tensor: Index of the operation's output.
        layer: Name of the layer.
        operation: TFLite's name of the operation.
        inputs: Indices of the outputs of other layers, or of the file's input, that the layer reads.
    """

    tensor: int
    layer: str
    operation: str
    inputs: list[int]


def errors(content: bytes, network: keras.Model, spectrograms: np.ndarray) -> list[dict[str, Any]]:
    """Relative errors of every layer: root mean square of (file - float) over that of float.

    Args:
        content: Bytes of a TFLite file.
        network: The float network it was converted from, in its foldable form.
        spectrograms: (clips, bands, frames, channels) float32.

    Returns:
        A dictionary a layer, in the order of execution: "layer"; "operation", its last in the file; "error", against
        the float network on the same clips, all that was lost up to here; "own_error", against the float layers
        applied to the layer's inputs in the file, lost here alone.
    """
    model, graph = tflite_file.graph(content)
    # Of batch norms that were equalised with the convolution after them the values in the file are others.
    equalised = {layer.name for chain in cross_layer.chains(to_tf_keras(network)) for layer in chain[:-1]}
    outputs = _layer_outputs(model, graph, network, equalised)
    inputs = {index for output in outputs for index in output.inputs}
    values = _tensor_values(content, spectrograms, {*(output.tensor for output in outputs), *graph.inputs, *inputs})
    tensors = {output.tensor: network.get_layer(output.layer).output for output in outputs}
    tensors[graph.inputs[0]] = network.input
    float_network = keras.Model([network.input], [tensors[output.tensor] for output in outputs])
    rows = []
    for output, expected in zip(outputs, _predictions(float_network, [spectrograms]), strict=True):
        layer = keras.Model([tensors[index] for index in output.inputs], [tensors[output.tensor]])
        (alone,) = _predictions(layer, [values[index] for index in output.inputs])
        error = _relative_error(values[output.tensor], expected, expected)
        own_error = _relative_error(values[output.tensor], alone, expected)
        rows.append({"layer": output.layer, "operation": output.operation, "error": error, "own_error": own_error})
    return rows


def of_run(run: RunFolder, data: LoadedDataset, count: int) -> list[dict[str, Any]]:
    """Errors of the layers of a run's int8 file, on clips spread over the test split.

    Args:
        run: A quantised run.
        data: Dataset with the test split.
        count: Number of clips, or as many as there are.

    Returns:
        As `errors`.
    """
    rows = data.test[np.unique(np.linspace(0, len(data.test) - 1, count).astype(int))]
    spectrograms = list(build.evaluation_batches(run, build.source(run.recipe, data, rows)))
    content = tflite_file.read(products.read(run, layout.INT8))
    return errors(content, build.load_network(run, foldable=True), np.concatenate(spectrograms))


def format_lines(layers: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    """The layers with the largest errors of their own, as lines of text.

    Args:
        layers: Rows of `errors`, or none.
        count: Number of layers.

    Returns:
        A heading and a line a layer; nothing without layers.
    """
    if not layers:
        return []
    worst = sorted(layers, key=lambda layer: -layer["own_error"])[:count]
    lines = [f"  {x['layer']:24}{x['operation']:20}{x['own_error']:8.2%} of {x['error']:8.2%}" for x in worst]
    return ["What int8 loses most, of a layer's root mean square: here alone, of all up to here", *lines]


def _layer_outputs(model, graph, network, left_out):
    """The last operation of every layer but those of the names in `left_out`, [LayerOutput, ...].

    Operations between the outputs of two layers, as within a layer of several operations, are skipped.  A layer whose
    last operation is fused with the next layer's, as a global response norm's with its ReLU, has no output.
    """
    producers = {operator.outputs[0]: operator for operator in graph.operators}
    layer_names = {layer.name for layer in network.layers}
    fused_names = [graph.tensors[operator.outputs[0]].name.decode().split(";") for operator in graph.operators]
    # TensorFlow 2.21's converter also joins the names of the variables of a range, which are no operations.
    fused = {
        _layer_name(name, layer_names) for _, *names in fused_names for name in names if "ReadVariable" not in name
    }
    last = {}  # {layer: index of its last output}
    for operator, (name, *_) in zip(graph.operators, fused_names, strict=True):
        layer, tensor = _layer_name(name, layer_names - fused), operator.outputs[0]
        transparent = tflite_file.operator_name(model, operator) in TRANSPARENT
        if (
            layer
            and layer not in left_out
            and not transparent
            and _clip_shape(graph, tensor) == network.get_layer(layer).output.shape[1:]
        ):
            last[layer] = tensor
    known = {*last.values(), *graph.inputs}
    return [
        LayerOutput(
            tensor, layer, tflite_file.operator_name(model, producers[tensor]), _sources(tensor, producers, known)
        )
        for layer, tensor in last.items()
    ]


def _sources(index: int, producers: Mapping[int, Any], known: Collection[int]) -> list[int]:
    """The nearest tensors before a tensor that are among the known ones."""
    sources, seen, pending = [], set(), [index]
    while pending:
        tensor = pending.pop()
        if tensor in seen:  # an unrolled GRU has more paths than can be walked
            continue
        seen.add(tensor)
        if tensor in known and tensor != index:
            sources.append(tensor)
        elif tensor in producers:
            pending += reversed(list(producers[tensor].inputs))
    return sources


def _layer_name(tensor_name, layers):
    """`stem_relu` of `net/quant_stem_relu/Relu`, `stem_bn` of `stem_bn_sizes`; None where there is no such layer."""
    parts = [part.removeprefix(PREFIX).removesuffix(SIZES) for part in tensor_name.split("/")]
    return next((part for part in parts if part in layers), None)


def _clip_shape(graph, index):
    """The shape of a tensor, less the batch."""
    return tuple(int(size) for size in graph.tensors[index].shape[1:])


def _tensor_values(content, spectrograms, indices):
    """{index: (clips, ...) float32} of tensors, from a run of the file on every clip."""
    runner = interpreter.create(content, keep_tensors=True)
    (first,) = runner.get_input_details()
    details = {detail["index"]: detail for detail in runner.get_tensor_details()}
    values = {index: [] for index in indices}
    for clip in spectrograms:
        runner.set_tensor(first["index"], tflite_file.quantised(clip[np.newaxis], first))
        runner.invoke()
        for index, clips in values.items():
            clips.append(tflite_file.dequantised(runner.get_tensor(index), details[index])[0])
    return {index: np.stack(clips) for index, clips in values.items()}


def _predictions(model, inputs):
    return [np.asarray(y) for y in keras.tree.flatten(model(inputs, training=False))]


def _relative_error(values, expected, reference):
    """Root mean square of (values - expected) over that of the reference; 0 where that is 0."""
    size = np.sqrt(np.mean(np.square(reference)))
    return float(np.sqrt(np.mean(np.square(values - expected))) / size) if size else 0.0
