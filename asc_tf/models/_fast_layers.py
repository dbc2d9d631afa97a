"""How does a batch norm train without a dozen passes over the picture?

Source: TensorFlow's FusedBatchNormV3 and its gradient; Keras composes a batch norm of elementary operations,
        which took half of a training step's time.
Input:  a Keras BatchNormalization over the last axis.   Output: the same layer, training by these kernels.
"""

import keras


def fused(norm):
    """The layer `norm`, its outputs, gradients and running statistics Keras's own to rounding, only sooner.

    It stays Keras's class, in saved files too, since nothing but the call in training is exchanged, and that
    only for (batch, bands, frames, channels) in float32 under TensorFlow.  norm: scaled and centred, not synchronised.
    """
    if keras.backend.backend() != "tensorflow":
        return norm
    composed = norm.call

    def call(inputs, training=None, mask=None):
        if training and norm.trainable and len(inputs.shape) == 4 and inputs.dtype == "float32":
            return _trained(norm, inputs)
        return composed(inputs, training=training, mask=mask)

    norm.call = call
    return norm


def _trained(norm, inputs):
    import tensorflow as tf

    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=norm.gamma, offset=norm.beta, mean=[], variance=[], epsilon=norm.epsilon, is_training=True
    )
    # The kernel's variance is over (positions - 1), as torch's running one; Keras keeps the one over positions.
    positions = tf.cast(tf.size(inputs) // tf.size(mean), variance.dtype)
    for moving, new in ((norm.moving_mean, mean), (norm.moving_variance, variance * (1 - 1 / positions))):
        moving.assign(moving * norm.momentum + new * (1 - norm.momentum))
    return outputs
