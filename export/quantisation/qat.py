"""How does a trained network learn to work with 8 bits, its teacher still talking?

Source: TFMOT's quantisation-aware training (Jacob et al., 2018), with the ranges calibrated first.
Way:    check(network) -> quantise(to_tf_keras(network), clips) -> train(...) -> export.tflite.convert
Without train it is post-training quantisation.
"""

import functools

import numpy as np
import tensorflow as tf
import tf_keras

from asc_tf.distillation import terms
from asc_tf.errors import UserError
from export.quantisation import graph_form as _form
from export.quantisation import ranges as _ranges
from export.quantisation import rounding as _rounding
from export.quantisation.to_tf_keras import to_tf_keras

SLICE = 32  # clips calibrated at a time: every activation of the network is held at once


def check(network, float_layers=()):
    """Raises UserError, naming the layer, unless a Keras 3 network (in its foldable form) can be quantised.

    float_layers: names of layers that are to stay in float.  Returns the names of all that will.
    Costs seconds and no data: call it before any training.
    """
    float_network, scheme = to_tf_keras(network), _scheme()
    kept = _form.resolve_float_layers(float_network, float_layers)
    for layer in _form.quantisable(float_network, kept).layers:
        own = isinstance(layer, (tf_keras.layers.InputLayer, tf_keras.layers.BatchNormalization, _form.ChannelSizes))
        if not own and layer.name not in kept and not scheme.Registry().supports(layer):
            raise UserError(
                f"quantise: layer '{layer.name}' ({type(layer).__name__}) has no 8-bit form; keep it in float by "
                f"quantise.float_layers, or leave out [quantise] and take the float16 file of export.tflite."
            )
    return kept


def quantise(network, calibration, float_layers=()):
    """The tf_keras model that computes as the int8 file will, ready to be trained or, as it is, converted.

    network: a float tf_keras network, as `twin` makes it.
    calibration: float32 clips (n, bands, frames, channels), or an iterable of such batches; None where `restore`
    will set the ranges.
    float_layers: names of layers that stay in float, beside those that always do.
    Raises UserError when there are no clips, a value is not finite or a name does not exist.
    """
    kept = _form.resolve_float_layers(network, float_layers)
    network = _form.quantisable(network, kept)
    kept += [layer.name for layer in network.layers if isinstance(layer, _form.ChannelSizes)]
    _ranges.reinitialise_dead_channels(network)
    if calibration is None:
        return _scheme().apply(network, kept)
    calibration = _batches(calibration)
    _ranges.equalise_channels(network, calibration)
    quantised = _scheme().apply(network, kept)
    _ranges.set_weight_ranges(quantised)
    _ranges.set_activation_ranges(quantised, network, calibration)
    _rounding.round_kernels(quantised, network, calibration)
    return quantised


def optimizer(quantised):
    """Adam with its slots made, so that a saved state can be restored into it."""
    adam = tf_keras.optimizers.Adam()
    adam.build(quantised.trainable_variables)
    return adam


def train(
    quantised,
    adam,
    batches,
    *,
    first_epoch,
    epochs,
    steps_per_epoch,
    frozen_epochs,
    learning_rate,
    label_weight,
    temperature,
    on_epoch,
    form="textbook",
    online=None,
):
    """Trains epochs `first_epoch` to `epochs` - 1 (counted from 0) in place.

    batches: iterable of (spectrograms, targets), starting with the first step of `first_epoch`; targets
    {"label": (batch, classes) distributions, "teacher": (batch, classes) logits or absent}, or of mixed clips
    as distillation.terms.total takes them.  online: spectrograms -> targets asked for in every step, {"teacher": logits}.
    Loss: label_weight x cross entropy + (1 - label_weight) x the distance from the teacher, of temperature and form
    as soft_targets has them; cross entropy alone without a teacher.  learning_rate: step number -> float.
    In the last `frozen_epochs` batch norms and activation ranges stand still.
    on_epoch(epoch, loss): after each; `state` then holds all that the next epoch depends on.
    Raises UserError when the loss is not a number; whatever on_epoch has saved stands.
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
            losses.append(float(steps[frozen](*next(batches))))
            if not np.isfinite(losses[-1]):
                raise UserError(f"quantise: the loss is {losses[-1]} in epoch {epoch + 1}; lower the learning rate.")
        # Weights move on after their ranges were taken, and freely while those stand still.
        _ranges.set_weight_ranges(quantised)
        on_epoch(epoch, float(np.mean(losses)))


def state(quantised, adam):
    """{name: array} of everything that training changes; `restore` puts it back."""
    return {f"{place:04d}": variable.numpy() for place, variable in enumerate(_variables(quantised, adam))}


def restore(quantised, adam, saved):
    """Sets a model and its optimizer to a saved state of the same network."""
    for place, variable in enumerate(_variables(quantised, adam)):
        variable.assign(saved[f"{place:04d}"])


def _batches(calibration):
    if isinstance(calibration, np.ndarray):
        calibration = [calibration[start : start + SLICE] for start in range(0, len(calibration), SLICE)]
    batches = list(calibration)
    if not batches:
        raise UserError("quantise: there are no clips to calibrate the ranges with.")
    return batches


def _variables(quantised, adam):
    variables = adam.variables() if callable(adam.variables) else adam.variables
    return [*quantised.variables, *variables]


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


def _loss(logits, targets, *, weights, **soft):
    found = terms.total({"logits": logits}, targets, weights if "teacher" in targets else {"label": 1.0}, **soft)
    return tf.reduce_mean(found["loss"])


def _scheme():
    from export.quantisation import scheme as _scheme  # TFMOT takes seconds to import and changes the environment

    return _scheme
