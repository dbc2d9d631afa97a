"""What does each layer cost, counted from its weights?

Source: NeSsi, the counter of the DCASE challenges, with its PyTorch back end (torchinfo).
Rule T: parameters are the trainable ones: running statistics of a batch norm are not among them.
        A convolution costs its weights and biases at every output position; any other layer of Keras
        costs its parameters once a call, whatever it is applied to; the weights of a project's own
        layers, activations, poolings and additions cost nothing.
Rule F: the same after fusion, the figure of int8: a batch norm that follows a convolution or a dense
        layer is folded into it and leaves one bias a channel.  One that follows something else stays.
"""

import math

from keras import layers as kinds

from asc_tf.cost._graph import CONVOLUTIONS, Graph, subsamples
from asc_tf.cost.rows import Row

# What training keeps beside its weights (a batch norm, a dynamic convolution). Named, because a frozen layer has no
# trainable weights and still costs the same.
STATISTICS = ("moving_mean", "moving_variance", "temperature")


def unfused(network):
    """Rule T: one Row for each call of a layer with weights, in the order of the network."""
    return _rows(Graph(network), folded={})


def fused(network):
    """Rule F: the same, batch norms folded."""
    graph = Graph(network)
    norms = [call for call in graph.calls if isinstance(call.layer, kinds.BatchNormalization)]
    return _rows(graph, {call.outputs: target.outputs for call in norms if (target := _foldable_into(graph, call))})


def _rows(graph, folded):
    """folded: {outputs of a batch norm's call: those of the call it folds into}."""
    rows, counted = [], set()
    for call in graph.calls:
        if not getattr(call.layer, "weights", None) or call.outputs in folded:
            continue
        extra = call.output_shapes[0][-1] if call.outputs in folded.values() and not _has_bias(call.layer) else 0
        parameters = extra + sum(math.prod(w.shape) for w in call.layer.weights if w.name not in STATISTICS)
        macs = parameters * _positions(graph, call)
        once = 0 if id(call.layer) in counted else parameters
        counted.add(id(call.layer))
        rows.append(Row(call.layer.name, type(call.layer).__name__, call.output_shapes[0], once, macs))
    return rows


def _positions(graph, call):
    """How often the parameters of a layer are used."""
    if isinstance(call.layer, CONVOLUTIONS):
        return math.prod((graph.subsampling(call) or call).output_shapes[0][:-1])
    return 1 if _is_of_keras(call.layer) else 0


def _is_of_keras(layer):
    """Whether a layer is one of Keras or of a subclass of one, such as BatchNormalization, and not a project's own."""
    kind = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return kind is not kinds.Layer


def _foldable_into(graph, norm):
    """The call of a convolution or dense layer whose output, perhaps subsampled, only this batch norm reads."""
    maker = graph.maker.get(norm.inputs[0])
    if maker and subsamples(maker.layer):
        maker = graph.maker.get(maker.inputs[0])
    if not maker or not isinstance(maker.layer, (*CONVOLUTIONS, kinds.Dense)) or not _is_linear(maker.layer):
        return None
    return maker if all(graph.only_reader(call.outputs[0]) for call in (maker, graph.maker[norm.inputs[0]])) else None


def _is_linear(layer):
    return layer.activation.__name__ == "linear"


def _has_bias(layer):
    return layer.use_bias
