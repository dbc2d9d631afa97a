"""Rules T and F: cost of every layer, counted from its weights.

Source: NeSsi, the counter of the DCASE challenges, with its PyTorch back end (torchinfo).
Rule T: parameters are the trainable ones; the running statistics of a batch norm are not counted.
        A convolution costs its weights and biases at every output position, a recurrent layer (GRU, LSTM)
        all of its in every step; any other layer of Keras costs its parameters once a call, whatever it
        is applied to; the weights of custom layers, activations, poolings and additions cost no MACs. A
        custom layer that stands for several modules of the original states their MACs by `rule_t_macs`.
Rule F: rule T after fusion, the figure for int8: a batch norm that follows a convolution or a dense
        layer is folded into it and leaves one bias a channel. One that follows another layer is counted.
"""

import math

import keras
from keras import layers as kinds

from asc_tf.cost._graph import CONVOLUTIONS, Call, Graph, subsamples
from asc_tf.cost.rows import Row

# States that are not trained (of a batch norm, of a dynamic convolution). Listed by name, because a frozen layer has no
# trainable weights and costs the same.
STATISTICS = ("moving_mean", "moving_variance", "temperature")


def unfused(network: keras.Model) -> list[Row]:
    """Cost by rule T of every call of a layer with weights, in the order of the network.

    Args:
        network: A functional network.

    Returns:
        A row for each call; the parameters of a layer are in the row of its first call.

    Raises:
        UserError: The network is not functional.
    """
    return _rows(Graph(network), folded={})


def fused(network: keras.Model) -> list[Row]:
    """Cost by rule F, otherwise as `unfused`; folded batch norms have no row."""
    graph = Graph(network)
    norms = [call for call in graph.calls if isinstance(call.layer, kinds.BatchNormalization)]
    return _rows(graph, {call.outputs: target.outputs for call in norms if (target := _foldable_into(graph, call))})


def _rows(graph: Graph, folded: dict[tuple[int, ...], tuple[int, ...]]) -> list[Row]:
    """Cost of every call; `folded` maps the outputs of a batch norm to those of the call that it folds into."""
    rows, counted = [], set()
    for call in graph.calls:
        if not getattr(call.layer, "weights", None) or call.outputs in folded:
            continue
        extra = call.output_shapes[0][-1] if call.outputs in folded.values() and not _has_bias(call.layer) else 0
        parameters = extra + sum(math.prod(w.shape) for w in call.layer.weights if w.name not in STATISTICS)
        stated = getattr(call.layer, "rule_t_macs", None)
        macs = stated() if stated else parameters * _positions(graph, call)
        once = 0 if id(call.layer) in counted else parameters
        counted.add(id(call.layer))
        rows.append(Row(call.layer.name, type(call.layer).__name__, call.output_shapes[0], once, macs))
    return rows


def _positions(graph, call):
    """Number of times that a call uses each of the layer's parameters."""
    if isinstance(call.layer, CONVOLUTIONS):
        return math.prod((graph.subsampling(call) or call).output_shapes[0][:-1])
    if isinstance(call.layer, kinds.RNN):
        return call.input_shapes[0][0]
    return 0 if _is_custom(call.layer) else 1


def _is_custom(layer):
    """Whether a layer is neither one of Keras nor a subclass of one, as those of models/_fast_layers are."""
    keras_kind = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return keras_kind is kinds.Layer


def _foldable_into(graph: Graph, norm: Call) -> Call | None:
    """The call of a convolution or dense layer whose output, perhaps subsampled, only this batch norm reads."""
    producer = graph.producer.get(norm.inputs[0])
    if producer and subsamples(producer.layer):
        producer = graph.producer.get(producer.inputs[0])
    if not producer or not isinstance(producer.layer, (*CONVOLUTIONS, kinds.Dense)) or not _is_linear(producer.layer):
        return None
    between = (producer, graph.producer[norm.inputs[0]])
    return producer if all(graph.only_reader(call.outputs[0]) for call in between) else None


def _is_linear(layer):
    return layer.activation.__name__ == "linear"


def _has_bias(layer):
    return layer.use_bias
