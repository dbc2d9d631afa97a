"""Sums of tensors with trained shares, each share one number and 0.5 at the start.

Source:  Tan_SNTLNTU, DCASE 2025 Task 1 (github.com/joesephgit/DCASE2025); the weights are named as there.
"""

from collections.abc import Sequence

import keras
from keras import layers, ops

START = 0.5


@keras.saving.register_keras_serializable(package="asc_tf")
class PoolsMixing(layers.Layer):
    """Weighted sum of average and max pooling of two branches.

    y = p4 * (p1 * average2 + (1 - p1) * average1) + (1 - p4) * (p2 * max1 + (1 - p2) * max2), p1, p2 and p4 the
    weights param1, param2 and param4. The constructor takes the arguments of keras.layers.Layer.
    """

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Creates the shares."""
        start = keras.initializers.Constant(START)
        self.param1, self.param2, self.param4 = (
            self.add_weight(shape=(), initializer=start, name=f"param{number}") for number in (1, 2, 4)
        )

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """The sum, of the shape of each.

        Args:
            inputs: [average1, average2, max1, max2], each (batch, bands, frames, channels).
        """
        average1, average2, max1, max2 = inputs
        average = self.param1 * average2 + (1.0 - self.param1) * average1
        largest = self.param2 * max1 + (1.0 - self.param2) * max2
        return self.param4 * average + (1.0 - self.param4) * largest

    def compute_output_shape(self, input_shape: Sequence[Sequence[int | None]]) -> Sequence[int | None]:
        """The shape of an input."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package="asc_tf")
class MeansMixing(layers.Layer):
    """Weighted sum of the means of two sequences over their last axis: p3 * first + (1 - p3) * second.

    p3 is the weight param3. The constructor takes the arguments of keras.layers.Layer.
    """

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        """Creates the share."""
        self.param3 = self.add_weight(shape=(), initializer=keras.initializers.Constant(START), name="param3")

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """(batch, steps) of two sequences (batch, steps, features), whose features may differ in number."""
        first, second = (ops.mean(sequence, axis=-1) for sequence in inputs)
        return self.param3 * first + (1.0 - self.param3) * second

    def compute_output_shape(self, input_shape: Sequence[Sequence[int | None]]) -> Sequence[int | None]:
        """(batch, steps)."""
        return input_shape[0][:2]
