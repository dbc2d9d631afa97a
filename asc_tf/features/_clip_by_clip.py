"""How does a batch of any size go through a front end at the speed of one clip?

Spectra of many clips fall out of the processor's cache and fill the memory: 256 at once ran at a third of
the speed. So one clip at a time goes through one function, compiled by XLA; its numbers then cannot depend
on its neighbours, and memory beyond the outcome does not grow with the batch.
"""

import tensorflow as tf


def compiled(function):
    """`function(wave, *constants)` of (batch, samples), as a function of wave, shape of a clip's outcome, constants."""
    fast = tf.function(function, jit_compile=True, autograph=False)

    def clip_by_clip(wave, shape, *constants):
        signature = tf.TensorSpec(shape, tf.float32)
        return tf.map_fn(lambda clip: fast(clip[None], *constants)[0], wave, fn_output_signature=signature)

    return tf.function(clip_by_clip, autograph=False)
