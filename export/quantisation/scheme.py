"""The quantisation scheme of training: which tensors are rounded as TFLite rounds them.

TFMOT's default 8-bit scheme with two changes: depthwise weights get a scale for each channel (the
default shares one among all), and average pooling gets no range (TFLite's output has the scale of the
input; another range costs an extra QUANTIZE).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import keras  # noqa: F401  before TFMOT, which sets TF_USE_LEGACY_KERAS when it is imported
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from asc_tf.export.quantisation.tf_keras_layers import hard_swish

eight_bit = tfmot.quantization.keras.default_8bit
# Of Activation layers: rounded here, and further ones of the default registry, which raises at all others.
ACTIVATIONS = (tf_keras.activations.linear, hard_swish)
DEFAULT_ACTIVATIONS = ("relu", "relu6", "swish", "gelu", "softmax", "sigmoid", "tanh")
OUTPUT_ONLY = ("Multiply", "AxisMean")  # layers without weights of which the default registry knows nothing
Quantizer = tfmot.quantization.keras.quantizers.Quantizer
QuantizeConfig = tfmot.quantization.keras.QuantizeConfig


class DepthwiseKernelQuantizer(tfmot.quantization.keras.quantizers.LastValueQuantizer):
    """Symmetric 8 bits with a scale a channel, for a kernel (height, width, channels, multiplier)."""

    def __init__(self):
        super().__init__(num_bits=8, per_axis=True, symmetric=True, narrow_range=True)

    def get_config(self) -> dict[str, Any]:
        """No settings."""
        return {}

    def build(self, tensor_shape: tf.TensorShape, name: str, layer: tf_keras.layers.Layer) -> dict[str, tf.Variable]:
        """Adds the variables of the range to a layer.

        Args:
            tensor_shape: (height, width, channels, multiplier).
            name: Name of the kernel in the layer.
            layer: Layer that quantises the kernel.

        Returns:
            {"min_var", "max_var"}, each (channels * multiplier,).
        """

        def bound(suffix, value):
            initializer = tf_keras.initializers.Constant(value)
            shape = (tensor_shape[2] * tensor_shape[3],)
            return layer.add_weight(f"{name}_{suffix}", shape=shape, initializer=initializer, trainable=False)

        return {"min_var": bound("min", -1.0), "max_var": bound("max", 1.0)}

    def __call__(
        self, inputs: tf.Tensor, training: bool | tf.Tensor, weights: Mapping[str, tf.Variable], **kwargs: Any
    ) -> tf.Tensor:
        """The kernel, quantised and back in float, of the same shape."""
        height, width, channels, multiplier = inputs.shape
        flat = tf.reshape(inputs, (height, width, 1, channels * multiplier))
        return tf.reshape(super().__call__(flat, training, weights, **kwargs), inputs.shape)


class PartialQuantizeConfig(QuantizeConfig):
    """Choice of the tensors of a layer that are quantised, in the methods that TFMOT calls.

    Args:
        what: "nothing"; "output"; or "depthwise", the depthwise kernel and the output of the activation.
    """

    def __init__(self, what: str = "nothing"):
        self.what = what

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"what": self.what}

    def get_weights_and_quantizers(self, layer: tf_keras.layers.Layer) -> list[tuple[tf.Variable, Quantizer]]:
        """Weights of a layer that are quantised.

        Args:
            layer: The float layer.
        """
        return [(layer.depthwise_kernel, DepthwiseKernelQuantizer())] if self.what == "depthwise" else []

    def set_quantize_weights(self, layer: tf_keras.layers.Layer, quantize_weights: Sequence[tf.Tensor]) -> None:
        """Replaces the weights of a layer by quantised ones.

        Args:
            layer: The float layer.
            quantize_weights: In the order of get_weights_and_quantizers.
        """
        if self.what == "depthwise":
            (layer.depthwise_kernel,) = quantize_weights

    def get_activations_and_quantizers(self, layer: tf_keras.layers.Layer) -> list[tuple[Callable, Quantizer]]:
        """Activations of a layer that are quantised.

        Args:
            layer: The float layer.
        """
        # TFMOT itself exchanges the activation where a batch norm or ReLU follows, which then is quantised.
        return [(layer.activation, _moving_average_quantizer())] if self.what == "depthwise" else []

    def set_quantize_activations(self, layer: tf_keras.layers.Layer, quantize_activations: Sequence[Callable]) -> None:
        """Replaces the activations of a layer by quantised ones.

        Args:
            layer: The float layer.
            quantize_activations: In the order of get_activations_and_quantizers.
        """
        if self.what == "depthwise":
            (layer.activation,) = quantize_activations

    def get_output_quantizers(self, layer: tf_keras.layers.Layer) -> list[Quantizer]:
        """Quantisers of a layer's outputs.

        Args:
            layer: The float layer.
        """
        return [_moving_average_quantizer()] if self.what == "output" else []


def _moving_average_quantizer():
    """TFMOT's default quantiser of activations."""
    kind = tfmot.quantization.keras.quantizers.MovingAverageQuantizer
    return kind(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)


class QuantizeRegistry(eight_bit.Default8BitQuantizeRegistry):
    """The default registry with the two changes, products and means, hard swish, and a linear activation that rounds.

    The latter is for outputs of float layers.
    """

    def get_quantize_config(self, layer: tf_keras.layers.Layer) -> QuantizeConfig:
        """The configuration of a layer.

        Args:
            layer: The float layer.
        """
        if type(layer) is tf_keras.layers.DepthwiseConv2D:
            return PartialQuantizeConfig("depthwise")
        if type(layer) is tf_keras.layers.AveragePooling2D:
            return PartialQuantizeConfig()
        is_known = type(layer) is tf_keras.layers.Activation and layer.activation in ACTIVATIONS
        if is_known or type(layer).__name__ in OUTPUT_ONLY:
            return PartialQuantizeConfig("output")
        return super().get_quantize_config(layer)

    def supports(self, layer: tf_keras.layers.Layer) -> bool:
        """Whether a layer has an 8-bit form.

        Args:
            layer: The float layer.
        """
        if type(layer).__name__ in OUTPUT_ONLY:
            return True
        if type(layer) is tf_keras.layers.Activation:
            return layer.activation in ACTIVATIONS or layer.activation.__name__ in DEFAULT_ACTIVATIONS
        return super().supports(layer)


class QuantizeScheme(eight_bit.Default8BitQuantizeScheme):
    """The default 8-bit scheme with the changed registry."""

    def get_quantize_registry(self) -> QuantizeRegistry:
        """The registry."""
        return QuantizeRegistry()


CUSTOM_OBJECTS = {kind.__name__: kind for kind in (DepthwiseKernelQuantizer, PartialQuantizeConfig)}


def apply(network: tf_keras.Model, float_layers: Collection[str] = ()) -> tf_keras.Model:
    """The network with a fake quantisation at every point where TFLite rounds.

    Args:
        network: Float network in its quantisable form, functional.
        float_layers: Names of layers that stay in float.

    Returns:
        A new network.
    """
    annotated = tf_keras.models.clone_model(
        network, clone_function=lambda layer: _annotated(layer, layer.name in float_layers)
    )
    for name in float_layers:
        annotated.get_layer(name).set_weights(network.get_layer(name).get_weights())
    with tfmot.quantization.keras.quantize_scope(CUSTOM_OBJECTS):
        return tfmot.quantization.keras.quantize_apply(annotated, QuantizeScheme())


def _annotated(layer, in_float):
    if isinstance(layer, tf_keras.layers.InputLayer):
        return layer
    if in_float:
        return type(layer).from_config(layer.get_config())
    return tfmot.quantization.keras.quantize_annotate_layer(layer)
