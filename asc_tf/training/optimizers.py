"""Optimizers of training: AdamW, with learning rates that fall from block to block and loss scaling where needed."""

import re
from collections.abc import Sequence

import keras
from keras import ops

from asc_tf.recipe.schema import Train
from asc_tf.training import _compat

# A layer belongs to the block whose name starts its own: "features_4", "stages_0_1", "layers_2_blocks_0", "b3".
BLOCK = re.compile(r"\D*?\d+(?:_blocks_\d+|_\d+(?=_\D))?")
OUTPUT = ("head", "classifier", "norm", "mlp_head", "logits", "feed_forward", "fc", "tscam_conv", "embedding", "hidden")


def adamw(
    train: Train,
    learning_rate: keras.optimizers.schedules.LearningRateSchedule,
    network: keras.Model,
    variables: Sequence[keras.Variable],
) -> keras.optimizers.Optimizer:
    """AdamW of a recipe's [train], built; no decay of norms, biases and scalars.

    Args:
        train: Section [train].
        learning_rate: The schedule.
        network: The network.
        variables: All variables that are trained, those of the network among them.
    """
    if train.layer_decay == 1:
        optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=train.weight_decay)
    else:
        rates = layer_rates(network, train.layer_decay)
        scales = {w.path: rates[layer.name] for layer in network.layers for w in layer.trainable_weights}
        factors = [scales.get(variable.path, 1.0) for variable in variables]
        optimizer = LayerwiseAdamW(learning_rate, weight_decay=train.weight_decay, factors=factors)
    optimizer.exclude_from_weight_decay([v for v in variables if len(v.shape) < 2])
    if train.precision == "mixed_float16":  # small gradients are 0 in float16
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def layer_rates(network: keras.Model, decay: float) -> dict[str, float]:
    """Factor of the learning rate of every layer by name: decay ** (number of blocks between it and the output).

    The layers before the first block are one, and those after the last block, with factor 1, another.

    Args:
        network: A functional network.
        decay: Factor from a block to the one before it.

    Source:
        Clark et al., ELECTRA, 2020; Bao et al., BEiT, 2022.
    """
    blocks = [_block(layer.name) for layer in network.layers]
    order = {name: number for number, name in enumerate(dict.fromkeys(filter(None, blocks)), start=1)}
    depth, depths = 0, {}
    for layer, block in zip(network.layers, blocks, strict=True):
        depth = len(order) + 1 if layer.name.startswith(OUTPUT) else order.get(block, depth)
        depths[layer.name] = depth
    return {name: decay ** (len(order) + 1 - depth) for name, depth in depths.items()}


class LayerwiseAdamW(keras.optimizers.Adam):
    """AdamW whose learning rate, of the step and of the weight decay alike, has a factor for every variable.

    Args:
        learning_rate: The learning rate or its schedule.
        weight_decay: Decoupled weight decay.
        factors: Factor of every variable, in the order of `build`.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        *,
        weight_decay: float,
        factors: Sequence[float],
    ):
        super().__init__(learning_rate)
        self.decoupled_decay, self.factors, self.excluded = weight_decay, list(factors), []

    def exclude_from_weight_decay(self, var_list: Sequence[keras.Variable]) -> None:
        """Excludes variables from the weight decay.

        Args:
            var_list: The variables.
        """
        self.excluded = [variable.path for variable in var_list]

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the moments.

        Args:
            variables: The variables that are trained.
        """
        super().build(variables)
        self.decays = [0.0 if v.path in self.excluded else self.decoupled_decay for v in variables]

    def update_step(
        self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: keras.KerasTensor
    ) -> None:
        """Decays and updates a variable. Called by Keras.

        Args:
            gradient: Gradient of the loss.
            variable: The variable.
            learning_rate: Learning rate of the step.
        """
        index = _compat.variable_index(self, variable)
        rate = ops.cast(learning_rate, variable.dtype) * self.factors[index]
        if self.decays[index]:
            variable.assign(variable * (1 - rate * self.decays[index]))
        super().update_step(gradient, variable, rate)


def _block(name):
    match = None if name.startswith(OUTPUT) else BLOCK.match(name)
    return match and match[0]
