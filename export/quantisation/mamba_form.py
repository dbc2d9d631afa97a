"""The form of Mamba's branches that quantises: convolutions in 8 bits around the norms and the scan in float.

The Keras layer ParallelMamba computes all in one. Here each projection is a 1x1 convolution in groups, one group a
branch, split by what it computes, so that each part has a range of its own; where the branches share a Mamba it is one
convolution of (tokens, branches, channels). The norm before and the norm after, one in the original, become two.
"""

from collections.abc import Mapping, Sequence

import keras  # noqa: F401  its operations compute the float layers
import tensorflow as tf
import tf_keras
from tf_keras import layers

from asc_tf.models import _mamba

# They have no control flow, and converting them takes longer than tracing.
_layer_norm, _gated_scan = map(tf.autograph.experimental.do_not_convert, (_mamba.layer_norm, _mamba.gated_scan))


class _FloatLayer(layers.Layer):
    """Base of the layers that stay in float.

    Args:
        sizes: {name of a weight: number of its values}, in order.
        shape: Shape of the output without the batch.
        name: Of the layer.
        trainable: Whether its weights are trained.
        dtype: Of its computation.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        shape: Sequence[int],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.sizes, self.shape = dict(sizes), tuple(shape)

    def build(self, input_shape: tf.TensorShape) -> None:
        """Creates the weights."""
        self.values = [self.add_weight(name, shape=(size,)) for name, size in self.sizes.items()]

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return super().get_config() | {"sizes": self.sizes, "shape": self.shape}


@tf_keras.utils.register_keras_serializable("asc_tf")
class MambaNorm(_FloatLayer):
    """Layer norm over channels, then another shape; the constructor is that of the base class."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(batch, tokens, width, channels) of (batch, bands, frames, channels)."""
        return tf.reshape(_layer_norm(x, *self.values), (-1, *self.shape))


@tf_keras.utils.register_keras_serializable("asc_tf")
class MambaSkipNorm(_FloatLayer):
    """Layer norm of y + skip_scale x over all channels; the constructor is that of the base class."""

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """(batch, bands, frames, channels) of [y, x], each (batch, tokens, width, channels)."""
        scale, *norm = self.values
        y = tf.reshape(inputs[0] + scale * inputs[1], (-1, *self.shape))
        return _layer_norm(y, *norm)


@tf_keras.utils.register_keras_serializable("asc_tf")
class MambaScan(_FloatLayer):
    """Mamba's scan and gate.

    Args:
        branches: Number of branches.
        chunk: As for selective_scan.
        sizes: As for the base class.
        shape: As for the base class.
        name: Of the layer.
        trainable: Whether its weights are trained.
        dtype: Of its computation.
    """

    def __init__(
        self,
        branches: int,
        chunk: int,
        sizes: Mapping[str, int],
        shape: Sequence[int],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(sizes, shape, name=name, trainable=trainable, dtype=dtype)
        self.branches, self.chunk = branches, chunk

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """(batch, tokens, width, channels) of [u, z, delta, b, c], each (batch, tokens, width, channels of it)."""
        tokens, width, channels = self.shape
        branches = [tf.reshape(x, (-1, tokens, self.branches, width * x.shape[-1] // self.branches)) for x in inputs]
        return tf.reshape(_gated_scan(*branches, self.values, chunk=self.chunk), (-1, tokens, width, channels))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return super().get_config() | {"branches": self.branches, "chunk": self.chunk}


def expanded(layer: _mamba.ParallelMamba, x: tf.Tensor) -> tf.Tensor:
    """The output of a ParallelMamba, computed by several tf_keras layers named after it.

    Args:
        layer: The built Keras 3 layer.
        x: (batch, bands, frames, channels).
    """
    value = {weight.name: weight.numpy() for weight in layer.weights}
    name, width = layer.name, layer.branches if layer.share else 1
    image = (layer.tokens, width, layer.branches * layer.inner // width)
    inner, states = layer.inner, layer.states

    def projected(x, part, rows=slice(None)):
        return _projected(x, f"{name}_{part}", value[f"mamba_{part[: part.index('proj') + 4]}_weight"][:, rows])

    norm = {"weight": value["norm_weight"], "bias": value["norm_bias"]}
    tokens = (layer.tokens, width, x.shape[-1] // width)
    x = normalised = _with_weights(MambaNorm(_sizes(norm), tokens, name=f"{name}_norm"), x, norm)
    z = projected(x, "in_proj_z", slice(inner, None))
    x = projected(x, "in_proj_u", slice(inner))
    x = layers.ZeroPadding2D(((layer.taps - 1, 0), (0, 0)), name=f"{name}_conv1d_pad")(x)
    kernel = value["mamba_conv1d_weight"].reshape(1, 1, -1, layer.taps).transpose(3, 0, 2, 1)
    convolution = layers.DepthwiseConv2D((layer.taps, 1), name=f"{name}_conv1d")
    x = _with_weights(convolution, x, {"kernel": kernel, "bias": value["mamba_conv1d_bias"]})
    u = layers.Activation("swish", name=f"{name}_silu")(x)
    delta = projected(projected(u, "x_proj_delta", slice(layer.rank)), "dt_proj")
    b = projected(u, "x_proj_b", slice(layer.rank, layer.rank + states))
    c = projected(u, "x_proj_c", slice(layer.rank + states, None))
    weights = {part: value[f"mamba_{part}"] for part in ("dt_proj_bias", "A_log", "D")}
    scan = MambaScan(layer.branches, layer.chunk, _sizes(weights), image, name=f"{name}_scan")
    y = projected(_with_weights(scan, [u, z, delta, b, c], weights), "out_proj")
    skip = {"scale": value["skip_scale"]} | norm
    again = MambaSkipNorm(_sizes(skip), layer.output.shape[1:], name=f"{name}_norm_again")
    return _with_weights(again, [y, normalised], skip)


def _projected(x, name, weight):
    """The 1x1 convolution, in groups, of a weight (groups, outputs, inputs)."""
    groups, outputs, inputs = weight.shape
    kernel = weight.transpose(2, 0, 1).reshape(1, 1, inputs, groups * outputs)
    convolution = layers.Conv2D(groups * outputs, 1, groups=groups, use_bias=False, name=name)
    return _with_weights(convolution, x, {"kernel": kernel})


def _with_weights(layer, inputs, weights):
    output = layer(inputs)
    layer.set_weights(list(weights.values()))
    return output


def _sizes(weights):
    return {name: value.size for name, value in weights.items()}
