"""Layers of Keras that train faster under TensorFlow: drop-in subclasses with the same settings, weights and results.

They have Keras's class names, because the paths inside weight files and the rows of cost tables contain those.
Saved .keras files, `clone_model` and `from_config` keep them: they are registered as "asc_tf>BatchNormalization" and
"asc_tf>Conv2D".
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

NARROW = 4  # channels of a group, up to which all groups are one convolution


@keras.saving.register_keras_serializable(package="asc_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """keras.layers.BatchNormalization with one kernel for a training step's statistics, outputs and gradients.

    Keras composes them of elementary operations, which took half of a training step's time. The kernel is used for
    (batch, bands, frames, channels) in float32; results equal Keras's to rounding. The constructor is Keras's.

    Source: TensorFlow's FusedBatchNormV3 and its gradient.
    """

    def call(self, inputs: keras.KerasTensor, training: bool | None = None, mask: Any = None) -> keras.KerasTensor:
        """Normalised inputs; in training by the batch's mean and variance, which also move the moving ones.

        Args:
            inputs: Values of any shape with the channels last, or on the constructor's axis.
            training: Whether to train; no statistics move otherwise, nor where the layer is frozen.
            mask: As for keras.layers.BatchNormalization, which takes over where there is one.
        """
        if training and self.trainable and mask is None and self._has_kernel(inputs):
            return self._trained(inputs)
        return super().call(inputs, training=training, mask=mask)

    def _has_kernel(self, inputs):
        plain = self.scale and self.center and self.axis in (-1, 3) and not (self.renorm or self.synchronized)
        return (
            plain and len(inputs.shape) == 4 and inputs.dtype == "float32" and keras.backend.backend() == "tensorflow"
        )

    def _trained(self, inputs):
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=self.gamma, offset=self.beta, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        )
        # The kernel's variance is over (positions - 1), as torch's moving one; Keras's is over positions.
        positions = tf.cast(tf.size(inputs) // tf.size(mean), variance.dtype)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance * (1 - 1 / positions))):
            moving.assign(moving * self.momentum + new * (1 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable(package="asc_tf")
class Conv2D(keras.layers.Conv2D):
    """keras.layers.Conv2D whose groups are convolved without XLA; the constructor is Keras's.

    Keras compiles a convolution in groups by XLA on CPUs, which trains 10 times slower.
    """

    def convolution_op(self, inputs: keras.KerasTensor, kernel: keras.KerasTensor) -> keras.KerasTensor:
        """The convolution, before bias and activation.

        Args:
            inputs: (batch, bands, frames, channels).
            kernel: (kernel height, kernel width, channels / groups, filters).

        Returns:
            (batch, bands, frames, filters).
        """
        convolve = super().convolution_op
        if self.groups == 1 or self.data_format != "channels_last":
            return convolve(inputs, kernel)
        return convolved_in_groups(convolve, inputs, kernel, self.groups)


def convolved_in_groups(
    convolve: Callable, inputs: keras.KerasTensor, kernel: keras.KerasTensor, groups: int
) -> keras.KerasTensor:
    """A convolution in groups of channels by convolutions without groups.

    One convolution a group, or of narrow groups a single one whose other weights are 0: that trains a layer of 12
    groups of 2 channels 2.6 times as fast.

    Args:
        convolve: Function (inputs, kernel) that convolves without groups.
        inputs: (batch, bands, frames, channels).
        kernel: (kernel height, kernel width, channels / groups, filters).
        groups: Number of groups.

    Returns:
        (batch, bands, frames, filters).
    """
    channels, filters = kernel.shape[2:]
    if channels <= NARROW:
        own = np.kron(np.eye(groups), np.ones((channels, filters // groups)))  # (channels, filters), 1 within a group
        return convolve(inputs, ops.tile(kernel, (1, 1, groups, 1)) * ops.cast(own, kernel.dtype))
    pairs = zip(ops.split(inputs, groups, axis=-1), ops.split(kernel, groups, axis=-1), strict=True)
    return ops.concatenate([convolve(x, part) for x, part in pairs], axis=-1)
