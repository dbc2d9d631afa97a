"""How does a batch of any size go through a front end at the speed of a small one?

Spectra of large batches fall out of the processor's cache and fill the memory: 256 clips at once ran at
a third of the speed of the same clips four at a time. So each slice goes through one function, compiled by XLA.
"""

import tensorflow as tf


def compiled(function, clips):
    """`function(wave, *constants)` of (batch, samples) as a function of any batch, `clips` clips at a time.

    What is left over goes through singly. Call it with the wave, the shape of one clip's outcome and the
    constants. Memory beyond the outcome does not grow with the batch.
    """
    fast = tf.function(function, jit_compile=True, autograph=False)

    def one_after_the_other(wave, size, shape, constants):
        slices = tf.reshape(wave, (-1, size, wave.shape[1]))
        signature = tf.TensorSpec((size, *shape), tf.float32)
        outcome = tf.map_fn(lambda piece: fast(piece, *constants), slices, fn_output_signature=signature)
        return tf.reshape(outcome, (-1, *shape))

    def sliced(wave, shape, *constants):
        count = tf.shape(wave)[0] if wave.shape[0] is None else wave.shape[0]
        whole = count // clips * clips
        if wave.shape[0] is not None and whole in (0, count):
            return one_after_the_other(wave, clips if whole else 1, shape, constants)
        parts = [one_after_the_other(wave[:whole], clips, shape, constants)]
        parts += [one_after_the_other(wave[whole:], 1, shape, constants)]
        return tf.ensure_shape(tf.concat(parts, 0), (wave.shape[0], *shape))

    return tf.function(sliced, autograph=False)
