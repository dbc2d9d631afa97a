"""Quantisation of a network: ranges, dead channels, training, errors."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf import build
from asc_tf.errors import UserError
from asc_tf.export.quantisation import convert as tflite
from asc_tf.export.quantisation import qat
from asc_tf.export.quantisation import ranges as _ranges
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.models import cp_mobile
from asc_tf.tflite import file as tflite_file


def test_quantised_network_decides_as_the_float_one(small, clips, quantised):
    x, expected = clips[0], small()(clips[0])
    difference = build.outputs(build.forward(quantised), [x[:32], x[32:]]) - expected
    assert 0 < np.abs(difference).max() < 0.1 * np.std(expected)


def test_ranges_start_at_the_values_on_the_clips(small, clips):
    network = small()
    x = clips[0] * 20  # far beyond TFMOT's +-6
    ranges = _ranges_of(qat.quantise(to_tf_keras(network), x))
    assert ranges["quant_logits/output_max"] == pytest.approx(np.max(network(x)), rel=1e-5)
    assert x.min() <= ranges["input/input_min"] < 0.7 * x.min()
    assert 0.7 * x.max() < ranges["input/input_max"] <= x.max()
    relu = np.max(keras.Model(network.input, network.get_layer("stem_relu").output)(x))
    assert ranges["quant_stem_relu/output_min"] == 0
    assert 0.5 * relu < ranges["quant_stem_relu/output_max"] <= relu * 1.00001


def test_a_single_outlier_does_not_coarsen_the_rest():
    # A thousand million values spread over 0..1 and one of 100: a range of 100 s loses (100 s / 255)^2 / 12 of each
    # by rounding, 12.8e6 s^2 in all, and (100 - 100 s)^2 by clipping, 1e4 (1 - s)^2: the least at the least s tried.
    counts = np.zeros(_ranges.BINS)
    counts[: _ranges.BINS // 100], counts[-1] = 25_000_000, 1
    assert _ranges._least_squares_range(counts, 0.0, 100.0) == (0.0, pytest.approx(4.0))
    assert _ranges._least_squares_range(np.ones(_ranges.BINS), -1.0, 2.0) == (-1.0, 2.0)


def test_every_weight_has_a_range_for_each_channel(small, quantised):
    network, ranges = small(), _ranges_of(quantised)
    for name, kernel in (("stem", "kernel"), ("depthwise", "depthwise_kernel"), ("head", "kernel")):
        weight = network.get_layer(name).get_weights()[0].reshape(9 if name != "head" else 8, -1)
        np.testing.assert_allclose(ranges[f"quant_{name}/{kernel}_max"], np.abs(weight).max(axis=0))
        np.testing.assert_allclose(ranges[f"quant_{name}/{kernel}_min"], -np.abs(weight).max(axis=0))


def test_average_pooling_keeps_the_range_of_its_input(quantised):
    ranges = _ranges_of(quantised)
    assert not [name for name in ranges if "shortcut" in name and name.endswith(("_min", "_max"))]


def test_iterables_of_batches_calibrate_as_one_array_does(small, clips, quantised):
    x = clips[0]
    in_parts = qat.quantise(to_tf_keras(small()), iter([x[:10], tf.constant(x[10:])]))
    whole, parts = _ranges_of(quantised), _ranges_of(in_parts)
    assert all(np.allclose(whole[name], parts[name], rtol=1e-6) for name in whole)


def test_channels_that_only_float_layers_read_are_rounded_relative_to_their_size():
    sizes, x = np.array([1.0, 0.01, 3.0], "float32"), np.random.default_rng(1).normal(size=(64, 4, 4, 3)).astype("f")
    inputs = keras.Input((4, 4, 3))
    norm = keras.layers.BatchNormalization(name="norm", epsilon=0.0)
    y = norm(keras.layers.Conv2D(3, 1, use_bias=False, name="conv")(inputs))
    y = keras.layers.LayerNormalization(name="next")(keras.layers.Add(name="sum")([y, y]))
    network = keras.Model(inputs, keras.layers.Dense(2, name="logits")(keras.layers.GlobalAveragePooling2D()(y)))
    network.get_layer("conv").set_weights([np.eye(3, dtype="f").reshape(1, 1, 3, 3)])
    norm.set_weights([sizes, 0.1 * sizes, np.zeros(3), np.ones(3)])
    quantised = qat.quantise(to_tf_keras(network), x, ["sum", "next"])
    largest = np.abs(sizes * x + 0.1 * sizes).max(axis=(0, 1, 2))
    np.testing.assert_allclose(quantised.get_layer("norm_sizes").get_weights()[0], largest, rtol=1e-5)
    ranges = _ranges_of(quantised)
    assert -1.3001 < ranges["quant_norm/output_min"] < -0.9 and ranges["quant_norm/output_max"] == pytest.approx(1.3)
    rounded = x
    for name in [layer.name for layer in quantised.layers[1:]][:4]:  # input, convolution, norm, sizes
        rounded = quantised.get_layer(name)(rounded)
    # A step of 2 x 1.3 / 255 of each channel's largest, and the rounding of the input; one of 3 would be 1.2.
    assert (np.abs(rounded - (sizes * x + 0.1 * sizes)).max(axis=(0, 1, 2)) / largest < 0.02).all()
    file = tflite_file.TFLiteModel(tflite.convert(quantised))
    assert tflite.layers_in_float(file.content, tflite.unquantised_layers(quantised)) == ["norm_sizes", "sum", "next"]
    np.testing.assert_allclose(file(x), quantised(x), atol=0.02)


@pytest.mark.parametrize("kind", ["weights", "gamma", "product"])
def test_dead_channels_get_weights_and_outputs_stay_as_they_were(small, clips, kind):
    network = small()
    kernel, norm = network.get_layer("depthwise").get_weights()[0], network.get_layer("depthwise_bn").get_weights()
    kernel[..., 2, :] *= {"weights": 1e-38, "gamma": 1, "product": 1e-4}[kind]
    norm[0][2] *= {"weights": 1, "gamma": 1e-38, "product": 1e-4}[kind]
    network.get_layer("depthwise").set_weights([kernel])
    network.get_layer("depthwise_bn").set_weights(norm)
    copy = to_tf_keras(network)
    assert _ranges.reinitialise_dead_channels(copy) == 1
    np.testing.assert_allclose(copy(clips[0]), network(clips[0]), atol=2e-3)
    assert np.abs(copy.get_layer("depthwise").get_weights()[0][..., 2, :]).max() >= 1e-3
    assert copy.get_layer("depthwise_bn").get_weights()[0][2] == pytest.approx(0.1)
    assert _ranges.reinitialise_dead_channels(copy) == 0


@pytest.fixture(scope="module")
def trained(small, clips):
    """(quantised network, losses, {epoch: state}) of three epochs, the last of them frozen."""
    states = {}
    return *_trained(small, clips, epochs=3, frozen_epochs=1, states=states), states


@pytest.mark.slow
def test_resumed_training_is_bit_for_bit_that_never_interrupted(small, clips, trained):
    straight, losses, states = trained
    resumed, later = _trained(small, clips, epochs=3, frozen_epochs=1, start=(2, states[1]))
    assert later == losses[2:]
    assert all(np.array_equal(a, b) for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True))


def test_training_lowers_the_loss_with_labels_and_teacher(trained):
    _, losses, _ = trained
    assert losses[1] < losses[0]


def test_training_lowers_the_loss_without_a_teacher(small, clips):
    _, losses = _trained(small, clips, epochs=2, frozen_epochs=0, teacher=False)
    assert losses[1] < losses[0]


def test_ranges_and_batch_norms_do_not_change_in_the_frozen_epochs(trained):
    quantised, _, states = trained
    for index, variable in enumerate(quantised.variables):
        before, last = (
            not np.array_equal(states[epoch][f"{index:04d}"], states[epoch - 1][f"{index:04d}"]) for epoch in (1, 2)
        )
        if "moving_" in variable.name or variable.name.endswith("output_max:0"):
            assert (before, last) == (True, False), variable.name
        if variable.name.endswith(("gamma:0", "kernel:0", "kernel_max:0")):
            assert (before, last) == (True, True), variable.name


def test_a_loss_that_is_not_a_number_is_refused(small, clips):
    with pytest.raises(UserError, match="loss is nan in epoch 1"):
        _trained(small, (clips[0] * np.nan, clips[1]), epochs=1, frozen_epochs=0, calibration=clips[0])


def test_no_clips_and_clips_that_are_not_finite_are_refused(small, clips):
    with pytest.raises(UserError, match="no clips"):
        qat.quantise(to_tf_keras(small()), np.zeros((0, 12, 9, 1), "float32"))
    with pytest.raises(UserError, match="not finite"):
        qat.quantise(to_tf_keras(small()), clips[0] * np.inf)


def test_check_returns_the_float_layers_and_refuses_wrong_ones_by_name(small):
    assert qat.check(small()) == []
    settings = {"width": 8, "growth": 1.0, "expansion": 1.0, "strides": [[1, 1], [1, 2]] + [[1, 1]] * 4}
    network = cp_mobile.build((16, 8, 1), 3, **settings, grn=True, foldable=True)
    assert qat.check(network) == [f"b{number}_grn" for number in range(1, 7)]
    with pytest.raises(UserError, match="there is no layer 'b1_grm'. Did you mean 'b1_grn'"):
        qat.check(network, ["b1_grm"])
    with pytest.raises(UserError, match="'logits' computes the int8 output"):
        qat.check(network, ["logits"])
    inputs = keras.Input((4, 4, 1))
    with pytest.raises(UserError, match="'odd' \\(ELU\\) has no 8-bit form; keep it in float"):
        qat.check(keras.Model(inputs, keras.layers.ReLU()(keras.layers.ELU(name="odd")(inputs))))
    with pytest.raises(UserError, match="'odd' \\(Activation\\) has no 8-bit form; keep it in float"):
        qat.check(keras.Model(inputs, keras.layers.ReLU()(keras.layers.Activation("elu", name="odd")(inputs))))


def test_an_online_teacher_gives_the_losses_of_the_same_logits_stored(small, clips, trained):
    network = small()
    online = {"online": lambda x: {"teacher": network(x)}, "teacher": False}
    _, losses = _trained(small, clips, epochs=1, frozen_epochs=0, **online)
    assert losses == pytest.approx(trained[1][:1], rel=1e-4)


def _trained(
    small, clips, *, epochs, frozen_epochs, start=(0, None), states=None, teacher=True, calibration=None, online=None
):
    """(quantised network, losses) after eight batches an epoch."""
    x, labels = clips
    network, (first_epoch, state) = small(), start
    quantised = qat.quantise(to_tf_keras(network), x if calibration is None else calibration)
    adam, losses = qat.optimizer(quantised), []
    if state:
        qat.restore(quantised, adam, state)
    targets = {"label": np.eye(3, dtype="float32")[labels]} | ({"teacher": network(x).numpy()} if teacher else {})

    def on_epoch(epoch, loss):
        losses.append(loss)
        if states is not None:
            states[epoch] = qat.state(quantised, adam)

    qat.train(
        quantised,
        adam,
        tf.data.Dataset.from_tensor_slices((x, targets)).batch(32).repeat(),
        first_epoch=first_epoch,
        epochs=epochs,
        steps_per_epoch=8,
        frozen_epochs=frozen_epochs,
        learning_rate=lambda step: 1e-2,
        label_weight=0.5,
        temperature=2.0,
        on_epoch=on_epoch,
        online=online,
    )
    return quantised, losses


def _ranges_of(quantised):
    """{name: value} of all variables; TFMOT numbers its input layer, so that one is called "input"."""
    named = {variable.name.split(":")[0]: variable.numpy() for variable in quantised.variables}
    return {re.sub(r"quantize_layer(_\d+)?", "input", name): value for name, value in named.items()}
