"""Private parts of TFMOT, tf_keras and TensorFlow.

Tested with tensorflow-model-optimization 0.8.1 and tf_keras 2.17.0 and 2.21.0.

Of TFMOT, the names of the layers and variables that quantize_apply creates: a layer `stem` becomes a QuantizeWrapperV2
named `quant_stem`; behind every input stands a QuantizeLayer named `quantize_layer` and a number. A quantised tensor
`kernel` has the two variables `kernel_min` and `kernel_max` in its layer. The output of a layer is named `output` or
`post_activation`. `pre_activation` is the tensor before the tanh, sigmoid or softmax of a convolution or dense layer.

Of tf_keras: a Conv2D calls its `_jit_compiled_convolution_op` (private) where it has groups.

Of TensorFlow 2.17 and 2.21: convert_variables_to_constants_v2, which TFLite's converter uses itself.
"""

import contextlib
import functools
import typing
from collections.abc import Iterator

import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from asc_tf.models import _fast_layers

PREFIX = "quant_"
INPUT_PREFIX = "quantize_layer"


class Range(typing.NamedTuple):
    """The quantisation range of one tensor.

    Args:
        layer: Layer of the quantised network that quantises the tensor.
        tensor: Name of the tensor in the layer, as "kernel" or "output".
        low: Variable of its least value; one value, or (channels,).
        high: Variable of its largest value, of the same shape.
    """

    layer: tf_keras.layers.Layer
    tensor: str
    low: tf.Variable
    high: tf.Variable

    @property
    def is_of_kernel(self) -> bool:
        """Whether the tensor is a weight."""
        return self.tensor.endswith("kernel")


def is_quantised(layer: tf_keras.layers.Layer) -> bool:
    """Whether a layer quantises something, by its name (private): the prefixes PREFIX and INPUT_PREFIX.

    Args:
        layer: Layer of a quantised network.
    """
    return layer.name.startswith((PREFIX, INPUT_PREFIX))


def ranges(quantised: tf_keras.Model) -> list[Range]:
    """Ranges of all quantised tensors of a network, by the names of the variables (private): `_min` and `_max`.

    Args:
        quantised: Network with fake quantisation.
    """
    entries = []
    for layer in quantised.layers:
        variables = {_name(variable): variable for variable in layer.weights}
        tensors = [name.removesuffix("_min") for name in variables if name.endswith("_min")]
        entries += [Range(layer, name, variables[f"{name}_min"], variables[f"{name}_max"]) for name in tensors]
    return entries


def kernel(layer: tf_keras.layers.Layer) -> tf.Variable:
    """The quantised weight of a layer, by the name of the variable: `kernel` or `depthwise_kernel`.

    Args:
        layer: Layer of a quantised network with one quantised weight.
    """
    (variable,) = [variable for variable in layer.weights if _name(variable).endswith("kernel")]
    return variable


def float_layer(network: tf_keras.Model, layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    """The layer of the float network that a layer of the quantised network wraps, by PREFIX (private).

    Args:
        network: Float network.
        layer: Wrapped layer of the quantised network.
    """
    return network.get_layer(layer.name.removeprefix(PREFIX))


def float_tensor(network: tf_keras.Model, entry: Range) -> tf.Tensor:
    """The tensor of the float network that a range is of, by the names of layer and tensor (private).

    The float network has no tensor for `pre_activation`: the layer's input stands in for it, whose range is another.
    Such activations quantise well only as separate layers.

    Args:
        network: Float network.
        entry: Range of an activation of the quantised network.
    """
    if not entry.layer.name.startswith(PREFIX):
        return network.input  # of the QuantizeLayer behind the input
    layer = float_layer(network, entry.layer)
    return layer.input if entry.tensor.startswith("pre_") else layer.output


@contextlib.contextmanager
def groups_without_xla(quantised: tf_keras.Model) -> Iterator[None]:
    """Convolutions in groups computed as in float training: a step took a twentieth of the time of tf_keras's XLA.

    Outside of this they are as TFLite's converter needs them, one operation each.

    Args:
        quantised: Network with fake quantisation.
    """
    wrapped = [getattr(layer, "layer", None) for layer in quantised.layers]
    grouped = [layer for layer in wrapped if isinstance(layer, tf_keras.layers.Conv2D) and layer.groups > 1]
    for layer in grouped:
        convolve = functools.partial(_fast_layers.convolved_in_groups, layer.convolution_op, groups=layer.groups)
        layer._jit_compiled_convolution_op = convolve
    try:
        yield
    finally:
        for layer in grouped:
            del layer._jit_compiled_convolution_op


def with_constants(function: tf.types.experimental.ConcreteFunction) -> tf.types.experimental.ConcreteFunction:
    """A function with constants in the place of its variables.

    Args:
        function: The function. Its loops stay as they are.
    """
    return convert_variables_to_constants_v2(function, lower_control_flow=False)


def _name(variable):
    """The last part of a variable's name: `kernel` of `stem/kernel:0`."""
    return variable.name.split("/")[-1].split(":")[0]
