"""How is each layer quantised during training, so that the converter finds what TFLite computes?

TFMOT's default 8-bit scheme with two changes: depthwise weights get a scale for each channel (the
default shares one among all), and average pooling gets no range of its own (TFLite's keeps the
scale of its input; a range of its own costs an extra QUANTIZE).
"""

import keras  # noqa: F401  before TFMOT, which sets TF_USE_LEGACY_KERAS on import
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

eight_bit = tfmot.quantization.keras.default_8bit


class DepthwiseWeights(tfmot.quantization.keras.quantizers.LastValueQuantizer):
    """Symmetric 8 bits a channel, for a kernel (height, width, channels, multiplier)."""

    def __init__(self):
        super().__init__(num_bits=8, per_axis=True, symmetric=True, narrow_range=True)

    def get_config(self):
        return {}

    def build(self, tensor_shape, name, layer):
        def bound(suffix, value):
            initializer = tf_keras.initializers.Constant(value)
            shape = (tensor_shape[2] * tensor_shape[3],)
            return layer.add_weight(f"{name}_{suffix}", shape=shape, initializer=initializer, trainable=False)

        return {"min_var": bound("min", -1.0), "max_var": bound("max", 1.0)}

    def __call__(self, inputs, training, weights, **kwargs):
        height, width, channels, multiplier = inputs.shape
        flat = tf.reshape(inputs, (height, width, 1, channels * multiplier))
        return tf.reshape(super().__call__(flat, training, weights, **kwargs), inputs.shape)


class Config(tfmot.quantization.keras.QuantizeConfig):
    """What of a layer is quantised: "nothing", its "output", or a "depthwise" kernel and what its activation makes."""

    def __init__(self, what="nothing"):
        self.what = what

    def get_config(self):
        return {"what": self.what}

    def get_weights_and_quantizers(self, layer):
        return [(layer.depthwise_kernel, DepthwiseWeights())] if self.what == "depthwise" else []

    def set_quantize_weights(self, layer, quantize_weights):
        if self.what == "depthwise":
            (layer.depthwise_kernel,) = quantize_weights

    def get_activations_and_quantizers(self, layer):
        # TFMOT itself exchanges the activation where a batch norm or ReLU follows, which then is quantised.
        return [(layer.activation, _moving())] if self.what == "depthwise" else []

    def set_quantize_activations(self, layer, quantize_activations):
        if self.what == "depthwise":
            (layer.activation,) = quantize_activations

    def get_output_quantizers(self, layer):
        return [_moving()] if self.what == "output" else []


def _moving():
    """TFMOT's own quantiser of activations."""
    kind = tfmot.quantization.keras.quantizers.MovingAverageQuantizer
    return kind(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)


class Registry(eight_bit.Default8BitQuantizeRegistry):
    """The default registry with the two changes, and a linear activation that rounds, for what leaves float layers."""

    def get_quantize_config(self, layer):
        if type(layer) is tf_keras.layers.DepthwiseConv2D:
            return Config("depthwise")
        if type(layer) is tf_keras.layers.AveragePooling2D:
            return Config()
        if type(layer) is tf_keras.layers.Activation and layer.activation is tf_keras.activations.linear:
            return Config("output")
        return super().get_quantize_config(layer)


class Scheme(eight_bit.Default8BitQuantizeScheme):
    def get_quantize_registry(self):
        return Registry()


CUSTOM_OBJECTS = {kind.__name__: kind for kind in (DepthwiseWeights, Config)}


def apply(network, kept=()):
    """The tf_keras functional network with a fake quantisation at every point where TFLite rounds.

    kept: names of layers that stay in float.
    """
    annotated = tf_keras.models.clone_model(network, clone_function=lambda layer: _annotated(layer, layer.name in kept))
    for name in kept:
        annotated.get_layer(name).set_weights(network.get_layer(name).get_weights())
    with tfmot.quantization.keras.quantize_scope(CUSTOM_OBJECTS):
        return tfmot.quantization.keras.quantize_apply(annotated, Scheme())


def _annotated(layer, kept):
    if isinstance(layer, tf_keras.layers.InputLayer):
        return layer
    if kept:
        return type(layer).from_config(layer.get_config())
    return tfmot.quantization.keras.quantize_annotate_layer(layer)
