"""Which tf_keras layers compute what the zoo's own Keras 3 layers compute?

Their code is not written twice: it is of `keras.ops`, which computes on TensorFlow's tensors wherever it stands.
"""

import functools
import inspect

import tensorflow as tf
import tf_keras

OWN = "asc_tf."  # how the modules of the zoo's layers begin


@functools.cache
def counterpart(kind):
    """The tf_keras layer class of a Keras 3 one: tf_keras's own of that name, or one that borrows its methods.

    Returns None where tf_keras has none of that name and the class is not of the zoo.
    """
    if not kind.__module__.startswith(OWN):
        return getattr(tf_keras.layers, kind.__name__, None)
    inherited = [base for base in reversed(kind.__mro__) if base.__module__.startswith(OWN)]
    methods = {name: value for base in inherited for name, value in vars(base).items() if inspect.isfunction(value)}
    borrowed = {name: value for name, value in methods.items() if name not in ("__init__", "get_config")}
    return tf_keras.utils.register_keras_serializable("asc_tf")(type(kind.__name__, (_Borrower,), borrowed))


class _Borrower(tf_keras.layers.Layer):
    """A layer whose settings are attributes, as the methods it borrows expect them."""

    def __init__(self, *, name=None, trainable=True, dtype=None, **settings):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self._settings = settings
        for key, value in settings.items():
            setattr(self, key, value)

    def get_config(self):
        return super().get_config() | self._settings


@tf_keras.utils.register_keras_serializable("asc_tf")
def hard_swish(x):
    """x * relu6(x + 3) / 6, which tf_keras lacks; TFLite has an operation for it."""
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


# By the names that Keras 3 gives them in a layer's settings.
ACTIVATIONS = {"hard_swish": hard_swish, "hard_silu": hard_swish}
