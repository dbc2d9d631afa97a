"""Quantisation of a trained network, and its training with 8 bits simulated.

Source: TFMOT's quantisation-aware training (Jacob et al., 2018), with the ranges calibrated first.
Way:    check(network) -> quantise(to_tf_keras(network), clips) -> train(...) -> convert.convert
Without `train` it is post-training quantisation.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from asc_tf.distillation import terms
from asc_tf.errors import UserError
from asc_tf.export.quantisation import _compat, cross_layer
from asc_tf.export.quantisation import graph_form as _form
from asc_tf.export.quantisation import ranges as _ranges
from asc_tf.export.quantisation import rounding as _rounding
from asc_tf.export.quantisation import scheme as _scheme
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras

SLICE = 32  # clips calibrated at a time: every activation of the network is in memory at once
FIXED_SETTINGS = (layers.InputLayer, layers.BatchNormalization, _form.ChannelSizes)  # not looked up in the scheme

Batch = np.ndarray | tf.Tensor  # (clips, bands, frames, channels) float32
Targets = Mapping[str, tf.Tensor]


def check(network: keras.Model, float_layers: Sequence[str] = ()) -> list[str]:
    """Checks that a network can be quantised; takes seconds and no data, to be called before any training.

    Args:
        network: Keras 3 network, in its foldable form.
        float_layers: Names of layers that are to stay in float.

    Returns:
        The names of all layers that will stay in float, in order.

    Raises:
        UserError: A layer has no 8-bit form or no counterpart in tf_keras, or a name of float_layers is wrong.
    """
    float_network = to_tf_keras(network)
    floats = _form.resolve_float_layers(float_network, float_layers)
    registry = _scheme.QuantizeRegistry()
    for layer in _form.quantisable(float_network, floats).layers:
        if isinstance(layer, FIXED_SETTINGS) or layer.name in floats or registry.supports(layer):
            continue
        raise UserError(
            f"quantise: layer '{layer.name}' ({type(layer).__name__}) has no 8-bit form; keep it in float by "
            f"quantise.float_layers, or leave out [quantise] and take the float16 file of asc-tf export tflite."
        )
    return floats


def quantise(
    network: tf_keras.Model, calibration: Batch | Iterable[Batch] | None, float_layers: Sequence[str] = ()
) -> tf_keras.Model:
    """The network that computes as the int8 file will, ready to be trained or converted.

    Args:
        network: Float network, as to_tf_keras returns it; stays as it is.
        calibration: Clips (clips, bands, frames, channels) float32, or an iterable of such batches; None where
            `restore` will set the ranges.
        float_layers: Names of layers that stay in float, beside those that always do.

    Raises:
        UserError: There are no clips, a value is not finite, or a name of float_layers is wrong.
    """
    floats = _form.resolve_float_layers(network, float_layers)
    network = _form.quantisable(network, floats)
    floats += [layer.name for layer in network.layers if isinstance(layer, _form.ChannelSizes)]
    _ranges.reinitialise_dead_channels(network)
    if calibration is None:
        return _scheme.apply(network, floats)
    calibration = _batches(calibration)
    _ranges.equalise_channels(network, calibration)
    cross_layer.equalise(network, calibration)
    quantised = _scheme.apply(network, floats)
    _ranges.set_weight_ranges(quantised)
    _ranges.set_activation_ranges(quantised, network, calibration)
    _rounding.round_kernels(quantised, network, calibration)
    return quantised


def optimizer(quantised: tf_keras.Model) -> tf_keras.optimizers.Optimizer:
    """Adam with its slots created, so that a saved state can be restored into it.

    Args:
        quantised: Network to be trained.
    """
    adam = tf_keras.optimizers.Adam()
    adam.build(quantised.trainable_variables)
    return adam


def train(
    quantised: tf_keras.Model,
    adam: tf_keras.optimizers.Optimizer,
    batches: Iterable[tuple[tf.Tensor, Targets]],
    *,
    first_epoch: int,
    epochs: int,
    steps_per_epoch: int,
    frozen_epochs: int,
    learning_rate: Callable[[int], float],
    label_weight: float,
    temperature: float,
    on_epoch: Callable[[int, float], None],
    on_step: Callable[[], None] = lambda: None,
    form: str = "textbook",
    online: Callable[[tf.Tensor], Targets] | None = None,
) -> None:
    """Trains a quantised network in place, from epoch `first_epoch` to `epochs` - 1 (counted from 0).

    Loss: label_weight x cross entropy + (1 - label_weight) x distance from the teacher; cross entropy alone without
    a teacher. In the last `frozen_epochs` batch norms and activation ranges do not change.

    Args:
        quantised: Network, as `quantise` returns it.
        adam: Its optimizer, as `optimizer` returns it.
        batches: Pairs of spectrograms (batch, bands, frames, channels) and targets, from the first step of
            `first_epoch` on. Targets: "label" (batch, classes) distributions, and "teacher" (batch, classes) logits
            where there is one; or of mixed clips, as distillation.terms.total takes them.
        first_epoch: Number of the first epoch; above 0 where training is resumed.
        epochs: Number of epochs in all.
        steps_per_epoch: Batches an epoch.
        frozen_epochs: Number of last epochs with fixed statistics and ranges.
        learning_rate: Function from the step, counted from 0 in epoch 0, to the learning rate.
        label_weight: Share of the cross entropy in the loss, 0 to 1.
        temperature: Temperature of student and teacher.
        on_epoch: Called with the epoch and its mean loss after each; `state` then holds all that the next depends on.
        on_step: Called after every step.
        form: Form of the distance from the teacher, see distillation.soft_targets.
        online: Function from spectrograms to further targets, {"teacher": logits}, computed in every step.

    Raises:
        UserError: The loss is not a number.
    """
    weights = {"label": label_weight, "teacher": 1.0 - label_weight}
    loss = functools.partial(_loss, weights=weights, temperature=temperature, form=form)
    steps = {frozen: _step(quantised, adam, not frozen, online, loss) for frozen in (False, True)}
    batches = iter(batches)
    for epoch in range(first_epoch, epochs):
        frozen = epoch >= epochs - frozen_epochs
        losses = []
        for step in range(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch):
            adam.learning_rate.assign(learning_rate(step))
            with _compat.groups_without_xla(quantised):
                losses.append(float(steps[frozen](*next(batches))))
            if not np.isfinite(losses[-1]):
                raise UserError(f"quantise: the loss is {losses[-1]} in epoch {epoch + 1}; lower the learning rate.")
            on_step()
        # Weights were updated after their ranges were set, and are not limited by ranges that are frozen.
        _ranges.set_weight_ranges(quantised)
        on_epoch(epoch, float(np.mean(losses)))


def state(quantised: tf_keras.Model, adam: tf_keras.optimizers.Optimizer) -> dict[str, np.ndarray]:
    """All that training changes, by the index of the variable; `restore` sets it.

    Args:
        quantised: Network.
        adam: Its optimizer.
    """
    return {f"{index:04d}": variable.numpy() for index, variable in enumerate(_variables(quantised, adam))}


def restore(quantised: tf_keras.Model, adam: tf_keras.optimizers.Optimizer, saved: Mapping[str, np.ndarray]) -> None:
    """Sets a network and its optimizer to a saved state of the same network.

    Args:
        quantised: Network.
        adam: Its optimizer.
        saved: State, as `state` returned it.
    """
    for index, variable in enumerate(_variables(quantised, adam)):
        variable.assign(saved[f"{index:04d}"])


def _batches(calibration):
    if isinstance(calibration, np.ndarray):
        calibration = [calibration[start : start + SLICE] for start in range(0, len(calibration), SLICE)]
    batches = list(calibration)
    if not batches:
        raise UserError("quantise: there are no clips to calibrate the ranges with.")
    return batches


def _variables(quantised, adam):
    return [*quantised.variables, *adam.variables]


def _step(quantised, adam, training, online, loss):
    @tf.function(reduce_retracing=True)
    def step(x, targets):
        targets = targets | (online(x) if online else {})
        with tf.GradientTape() as tape:
            value = loss(quantised(x, training=training), targets)
        variables = quantised.trainable_variables
        adam.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        return value

    return step


def _loss(logits, targets, *, weights, temperature, form):
    weights = weights if "teacher" in targets else {"label": 1.0}
    losses = terms.total({"logits": logits}, targets, weights, temperature=temperature, form=form)
    return tf.reduce_mean(losses["loss"])
