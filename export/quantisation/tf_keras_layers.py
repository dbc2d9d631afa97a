"""tf_keras layers that compute what the Keras 3 layers of asc_tf compute.

Their code is not written twice: it consists of `keras.ops`, which compute on TensorFlow's tensors in tf_keras too.
"""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tf_keras

PACKAGE = "asc_tf."  # prefix of the modules whose layers are adapted


class AdaptedLayer(tf_keras.layers.Layer):
    """Base of the tf_keras layers with the methods of a Keras 3 layer of asc_tf.

    Args:
        settings: The Keras 3 layer's constructor arguments; attributes of the layer, as its methods expect them.
        name: Name of the layer.
        trainable: Whether its weights are trained.
        dtype: Type of its computations.
    """

    def __init__(
        self, settings: Mapping[str, Any], *, name: str | None = None, trainable: bool = True, dtype: str | None = None
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self._settings = settings
        for key, value in settings.items():
            setattr(self, key, value)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"settings": dict(self._settings)}


@functools.cache
def counterpart(kind: type) -> type[tf_keras.layers.Layer] | None:
    """The tf_keras layer class of a Keras 3 one.

    Args:
        kind: Layer class of Keras 3 or of asc_tf.

    Returns:
        For a class of Keras, or a subclass in asc_tf of one, the tf_keras class of the same name, or None where there
        is none; for another class of asc_tf a subclass of AdaptedLayer with its methods.
    """
    keras_kind = next(base for base in kind.__mro__ if not base.__module__.startswith(PACKAGE))
    if keras_kind is not keras.layers.Layer:
        return getattr(tf_keras.layers, keras_kind.__name__, None)
    bases = [base for base in reversed(kind.__mro__) if base.__module__.startswith(PACKAGE)]
    functions = {name: value for base in bases for name, value in vars(base).items() if inspect.isfunction(value)}
    methods = {name: value for name, value in functions.items() if name not in ("__init__", "get_config")}
    return tf_keras.utils.register_keras_serializable("asc_tf")(type(kind.__name__, (AdaptedLayer,), methods))


@tf_keras.utils.register_keras_serializable("asc_tf")
def hard_swish(x: tf.Tensor) -> tf.Tensor:
    """x * relu6(x + 3) / 6, which tf_keras lacks; TFLite has an operation for it.

    Args:
        x: Values of any shape.
    """
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


# By the names that Keras 3 gives them in a layer's settings.
ACTIVATIONS = {"hard_swish": hard_swish, "hard_silu": hard_swish, "silu": "swish"}
